"""The worker's side: a process that runs one stage after the other as the parent sends them."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
import shutil
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NoReturn

from understudy.errors import UnderstudyError
from understudy.runs import atomic_folder, plain
from understudy.scheduler.cost import CostMeter
from understudy.scheduler.lock import hold_shared
from understudy.scheduler.stage import Stage, StageContext

REPORT_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Progressed:
    done: int
    total: int
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finished:
    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The user's mistake or a full disk: an error that explains itself."""

    error: UnderstudyError


@dataclass(frozen=True, slots=True)
class Crashed:
    """Anything else, as a traceback and its last line."""

    traceback: str
    summary: str


Report = Progressed | Finished | Failed | Crashed


def work(connection: Connection, run: Path, index: int) -> NoReturn:
    """Entry point of a worker: run the stages that come through `connection` until the parent ends us."""
    live_and_die_with_parent()
    _write_output_to(run / "workers" / f"{index}.txt")
    with hold_shared(run):
        while True:
            connection.send(_run(connection.recv(), run, connection))
            _give_back_memory()


def cost_path(run: Path, stage: str) -> Path:
    """Where the cost of a stage's attempts is noted until it is finished; beside its scratch folder."""
    folder = run / "scratch" / stage
    return folder.parent / f"{folder.name}.cost.json"


def finish(run: Path, stage: str) -> None:
    """Remove what only an unfinished stage needs."""
    shutil.rmtree(run / "scratch" / stage, ignore_errors=True)
    cost_path(run, stage).unlink(missing_ok=True)


def _run(stage: Stage, run: Path, connection: Connection) -> Report:
    try:
        meter = CostMeter(cost_path(run, stage.name))
        last = 0.0

        def report(done: int, total: int, figures: dict[str, Any]) -> None:
            nonlocal last
            if time.monotonic() - last >= REPORT_EVERY_SECONDS or done >= total:
                last = time.monotonic()
                connection.send(Progressed(done, total, plain(figures)))
                meter.save_sometimes()

        with atomic_folder(run / "stages" / stage.name) as output:
            stage.function()(StageContext(stage, run, output, report), **stage.kwargs)
            meter.save(output / "cost.json")
        finish(run, stage.name)
        return Finished(*meter.seconds())
    except BaseException as error:  # also SystemExit: whatever a stage does, the parent must hear of it
        return failure_of(error)


def failure_of(error: BaseException) -> Failed | Crashed:
    """What is told of an error that has just been caught."""
    if isinstance(error, UnderstudyError) and _travels(error):
        return Failed(error)
    return Crashed(traceback.format_exc(), traceback.format_exception_only(error)[-1].strip())


def _give_back_memory() -> None:
    """What a stage has freed, the C library and torch keep; over many stages of many sizes that comes to gigabytes."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another system, or another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    torch = sys.modules.get("torch")  # where no stage needed it, neither do we
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()  # of a GPU, what torch keeps is missing to the other workers


def _travels(error: UnderstudyError) -> bool:
    """Whether an error can be sent to the parent; a subclass with arguments of its own may not."""
    try:
        return str(pickle.loads(pickle.dumps(error))) == str(error)
    except Exception:
        return False


def live_and_die_with_parent() -> None:
    """Leave Ctrl-C to the parent, and end at once when the parent does, even by a kill in the middle of a stage."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # the parent had it blocked while it started us
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _write_output_to(path: Path) -> None:
    """Send what libraries print to a file: it would tear the progress bars apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
