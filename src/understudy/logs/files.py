"""Files of records, one line of JSON each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from understudy.errors import LogError
from understudy.runs import write_pieces


def line_of(record: Any) -> str:
    """A record as one line of JSON. Lone surrogates, which JSON may hold and UTF-8 can't, stay escaped."""
    line = json.dumps(record, ensure_ascii=False, default=str)
    if any("\ud800" <= character <= "\udfff" for character in line):
        line = json.dumps(record, default=str)
    return line + "\n"


def write_records(path: Path, records: Iterable[Any]) -> None:
    """Write a new file, which appears whole or not at all.

    Raises:
        LogError: if the file exists.
        RunError: if it cannot be written.
    """
    refuse_existing(path)
    write_pieces(path, (line_of(record) for record in records))


def refuse_existing(path: Path) -> None:
    """Nothing that is there is written over.

    Raises:
        LogError: if `path` exists.
    """
    if path.exists():
        raise LogError("exists", where=str(path), fix="give a new place, or delete this one")
