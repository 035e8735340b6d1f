"""Dialogues in JSONL files, one record per line (see `understudy.logs.record`)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from understudy.errors import LogError
from understudy.logs.record import from_record, to_record
from understudy.runs import write_pieces
from understudy.types import Dialogue


def read_dialogues(path: str | os.PathLike[str]) -> list[Dialogue]:
    """All dialogues of a file, in order; blank lines are skipped.

    Raises:
        LogError: if the file cannot be read or holds no dialogue, or a line is truncated, no JSON, or no valid record;
            the message names the file, the line and the key.
    """
    path = Path(path)
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise LogError(
            f"cannot be read: {error.strerror or error}", where=str(path), fix="give a JSONL file of dialogues"
        ) from None
    # Whoever writes line by line ends each line; words after the last newline are whole only if they parse.
    dialogues = [
        from_record(_parse(line, f"{path}:{number}", last=number == len(lines)), where=f"{path}:{number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not dialogues:
        raise LogError("holds no dialogue", where=str(path), fix="give a file with one JSON object per line")
    return dialogues


def write_dialogues(path: str | os.PathLike[str], dialogues: Iterable[Dialogue]) -> None:
    """Write a file that `read_dialogues` reads; it appears whole or not at all, in place of an older one.

    Raises:
        RunError: if the file cannot be written (no such folder, no right, disk full).
    """
    write_pieces(Path(path), (json.dumps(to_record(d), ensure_ascii=False, allow_nan=False) + "\n" for d in dialogues))


def conversations(dialogues: Iterable[Dialogue]) -> int:
    """How many conversations of people these are: both views of one, by either side, count once."""
    return len({(d.task.family, d.task.id) for d in dialogues})


def _parse(line: bytes, where: str, *, last: bool) -> object:
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        if not last:
            raise LogError(
                f"is no UTF-8 text (byte {error.start + 1} of the line)", where=where, fix="save the file as UTF-8"
            ) from None
        what = "is cut off in the middle of a character"
    except json.JSONDecodeError as error:
        if not last:
            raise LogError(
                f"is no JSON: {error.msg} at column {error.colno}", where=where, fix="write one JSON object per line"
            ) from None
        what = f"is the last line, has no line end, and is no whole JSON object ({error.msg} at column {error.colno})"
    raise LogError(what, where=where, fix="the file is truncated: copy or export it again, or delete this last line")
