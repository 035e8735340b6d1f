"""Writes files of records that appear whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from understudy.errors import LogError


def line_of(record: Any) -> str:
    """A record as one line of JSON. Lone surrogates, which JSON may hold and UTF-8 can't, stay escaped."""
    line = json.dumps(record, ensure_ascii=False, default=str)
    if any("\ud800" <= character <= "\udfff" for character in line):
        line = json.dumps(record, default=str)
    return line + "\n"


def write_records(path: Path, records: Iterable[Any]) -> None:
    """Write one line per record.

    Raises:
        LogError: if the file exists or cannot be written.
    """
    if path.exists():
        raise LogError("exists", where=str(path), fix="give a new file, or delete this one")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            for record in records:
                file.write(line_of(record))
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        raise LogError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            fix="check the folder and the disk's space",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
