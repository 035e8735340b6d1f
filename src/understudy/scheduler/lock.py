"""One scheduler at a time per run folder, and none while workers of a killed one are still ending.

The locks belong to the operating system: they are gone when their holder is, however it ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from understudy.errors import RunError
from understudy.runs import disk_errors

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows, where runs go unlocked
    fcntl = None  # type: ignore[assignment]

PATIENCE_SECONDS = 10.0


@contextmanager
def hold_exclusive(run: Path) -> Iterator[None]:
    """Be the only scheduler of this run folder; workers left by a killed one get some seconds to end.

    Raises:
        RunError: if another process works in the folder.
    """
    with ExitStack() as stack:
        with disk_errors(run):
            file = stack.enter_context(open(run / ".lock", "a"))
            workers = stack.enter_context(open(run / ".lock-workers", "a"))
        if not _try(file.fileno(), shared=False):
            raise RunError(
                "another process works in this run folder", where=str(run), fix="wait for it, or use another --out"
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _try(workers.fileno(), shared=False):
            if time.monotonic() > deadline:
                raise RunError(
                    "workers of an earlier run are still busy in this folder",
                    where=str(run),
                    fix="wait until they have ended, or end them",
                )
            time.sleep(0.05)
        workers.close()
        yield


@contextmanager
def hold_shared(run: Path) -> Iterator[None]:
    """Show that a worker is alive."""
    with open(run / ".lock-workers", "a") as file:
        _try(file.fileno(), shared=True)
        yield


def _try(descriptor: int, *, shared: bool) -> bool:
    """Whether the lock was got; where a file system has no locks, it always is."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
