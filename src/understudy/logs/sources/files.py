"""What a file of logs holds, record by record, whatever it is stored as; nothing is read whole that need not be."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, cast

from understudy.errors import LogError
from understudy.logs.sources.columnar import columnar_rows
from understudy.logs.sources.json_text import json_lines, json_list
from understudy.logs.sources.negotiations import MARK, negotiation_records
from understudy.logs.sources.raw import OFTEN, OnPosition, Raw, beginning
from understudy.logs.sources.tables import table_rows

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".txt", ".log")
"""Endings of the files that are read in a folder; those of text may be followed by `.gz`."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def files_of(path: Path) -> tuple[list[Path], list[Path]]:
    """A file, or all files of a folder and its folders: those that could hold logs, and those that are passed over:
    files with other endings than `SUFFIXES`, and what describes the arrow files of a `datasets.save_to_disk`.

    Raises:
        LogError: if there is nothing there.
    """
    if path.is_file():
        return [path], []
    if not path.is_dir():
        raise LogError(
            "does not exist",
            where=str(path),
            fix="give a file, a folder, or the name of a data set as hub:owner/name",
        )
    every = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    saved = {p.parent for p in every if p.suffix == ".arrow"}
    found = [p for p in every if _suffix(p) in SUFFIXES and not _is_metadata(p, saved)]
    if not found:
        raise LogError("holds no file of logs", where=str(path), fix=f"give files that end in {', '.join(SUFFIXES)}")
    logs = set(found)
    return found, [p for p in every if p not in logs]


def _is_metadata(path: Path, saved: Collection[Path]) -> bool:
    """Whether it is what `datasets.save_to_disk` writes beside its arrow files, or above the folders of several parts.

    Args:
        saved: folders with arrow files.
    """
    if path.name == "dataset_dict.json":
        return path.parent in {folder.parent for folder in saved}
    return path.name in ("dataset_info.json", "state.json") and path.parent in saved


def raw_records(path: Path, on_bytes: OnPosition = lambda position: None) -> Iterator[Raw]:
    """The records of one file. What cannot be parsed is given as a problem, and reading goes on after it.

    Args:
        on_bytes: called now and then with the position in the file.

    Raises:
        LogError: if the file cannot be read at all.
    """
    suffix = _suffix(path)
    try:
        if suffix in (".parquet", ".arrow"):
            yield from columnar_rows(path, suffix, on_bytes)
            return
        with path.open("rb") as stored:
            file = gzip.GzipFile(fileobj=stored) if path.suffix == ".gz" else stored
            head = file.peek(1 << 12)
            for count, raw in enumerate(_text_records(path, cast(IO[bytes], file), suffix, head)):
                if count % OFTEN == 0:
                    on_bytes(stored.tell())
                yield raw
    except (OSError, zlib.error) as error:
        raise LogError(
            f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path), fix="check the file"
        ) from None
    except EOFError:
        raise LogError("is cut off", where=str(path), fix="copy it again, or unpack as much as there is") from None


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()


def _text_records(path: Path, file: IO[bytes], suffix: str, head: bytes) -> Iterator[Raw]:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(_UTF16):
        yield Raw(f"{path}:1", None, "UTF-16", "save the file as UTF-8", beginning(head.decode("utf-16", "replace")))
    elif suffix in (".csv", ".tsv"):
        yield from table_rows(path, file)
    elif start.startswith(b"["):
        yield from json_list(path, file)
    elif any(line.startswith(MARK) for line in start.splitlines()):  # the first line may be a damaged one
        yield from negotiation_records(path, file)
    else:
        yield from json_lines(path, file)
