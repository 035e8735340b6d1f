"""Files and folders that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from understudy.errors import RunError

_UNFINISHED = re.compile(r"^\..+\.tmp-\d+-[0-9a-f]{8}$")
_FULL = (errno.ENOSPC, errno.EDQUOT)
# Libraries that write files by themselves report a full disk in words alone.
_FULL_IN_WORDS = ("No space left on device", "Disk quota exceeded", "PytorchStreamWriter failed writing")
_FULL_FIX = "free some space, or use another --out; a run goes on with --resume"


@contextmanager
def disk_errors(path: Path, *, ours: bool = True) -> Iterator[None]:
    """Turn a full disk into a RunError; where all writing is `ours`, any other failure to write as well."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        if getattr(error, "errno", None) in _FULL or any(words in str(error) for words in _FULL_IN_WORDS):
            raise RunError("the disk is full", where=str(path), fix=_FULL_FIX) from error
        if ours and isinstance(error, OSError):
            raise RunError(
                f"cannot be written: {error.strerror or error}",
                where=str(path),
                fix="check that the folder exists and that you may write there, or use another --out",
            ) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write a file whole: a reader, and a later run after a kill, sees the old text or the new one.

    Raises:
        RunError: if the disk is full or the place cannot be written.
    """
    write_pieces(path, (text,))


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """Write a file whole, of pieces that need not fit in memory together.

    Raises:
        RunError: if the disk is full or the place cannot be written.
    """
    temporary = _beside(path)
    with disk_errors(path):
        try:
            with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync(path.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole, indented; numbers of numpy become plain, figures that are not finite become null.

    Raises:
        RunError: if the disk is full or the place cannot be written.
    """
    write_text(path, json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside `target`, which becomes `target` if the block ends well, and vanishes if not.

    After a kill the temporary folder stays behind until `clean_unfinished` removes it.

    Raises:
        RunError: if `target` exists, or the disk is full (also when the block itself met that).
    """
    temporary = _beside(target)
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
    try:
        with disk_errors(target, ours=False):
            yield temporary
        with disk_errors(target):
            for folder, _, names in os.walk(temporary):
                for name in names:
                    sync(Path(folder, name))
                sync(Path(folder))
            if target.exists():
                raise RunError("exists already", where=str(target), fix="another process works in this run: stop one")
            os.rename(temporary, target)
            sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def clean_unfinished(folder: Path) -> list[Path]:
    """Remove what killed processes left half-written below `folder`. Call it only while nobody writes there."""
    removed = []
    for above, folders, files in os.walk(folder):
        for name in [name for name in folders if _UNFINISHED.match(name)]:
            folders.remove(name)
            shutil.rmtree(Path(above, name), ignore_errors=True)
            removed.append(Path(above, name))
        for name in filter(_UNFINISHED.match, files):
            Path(above, name).unlink(missing_ok=True)
            removed.append(Path(above, name))
    return removed


def plain(value: Any) -> Any:
    """What JSON can hold: mappings, lists, text, finite numbers, null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy and torch: scalars and arrays
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _beside(path: Path) -> Path:
    return path.parent / f".{path.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}"


def sync(path: Path) -> None:
    """Bring a file or folder to the disk, so that a rename is never there before what it renames."""
    if path.is_dir() and os.name == "nt":  # pragma: no cover - folders cannot be opened there
        return
    # fsync needs a writable handle on Windows only; read-only files must work everywhere else.
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
