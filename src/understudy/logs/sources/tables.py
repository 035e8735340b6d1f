"""Tables in text, one row per record."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from understudy.logs.sources.raw import NO_UTF8, Raw, beginning

_LARGEST_CELL = 1 << 27
_DELIMITERS = ",;\t|"
OTHER_LENGTH = "a row of another length"
NO_TABLE = "a table that is cut off or no CSV from here on"


def table_rows(path: Path, file: IO[bytes]) -> Iterator[Raw]:
    """The rows below the header. What separates cells is what the header holds most of: a comma, semicolon, tab or bar."""
    csv.field_size_limit(_LARGEST_CELL)
    # Bytes that are no UTF-8 become lone surrogates, so that the reader can go on to the next row.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    header, skipped = text.readline(), 1
    if header.lower().startswith("sep="):  # of Excel
        header, skipped = text.readline(), 2
    delimiter = max(_DELIMITERS, key=header.count)
    (names,) = csv.reader([header], delimiter=delimiter) if header.strip() else [[]]
    reader = csv.DictReader(text, fieldnames=names, delimiter=delimiter, strict=True)
    row: dict[Any, Any] = {}
    try:
        for row in reader:
            where = f"{path}:{skipped + reader.line_num}"
            if None in row or None in row.values():
                yield Raw(where, _known(row), OTHER_LENGTH, f"the header has {len(names)} columns", _shown(row))
            elif any(not value.isascii() and _broken(value) for value in row.values()):
                yield Raw(where, _known(row), NO_UTF8, "save the table as UTF-8", _shown(row))
            else:
                yield Raw(where, row)
    except csv.Error as error:
        # The row that broke off is likely one of the conversation before it, which would be kept with a hole.
        yield Raw(f"{path}:{skipped + reader.reader.line_num}", _known(row), NO_TABLE, str(error))


def _known(row: Mapping[Any, Any]) -> dict[str, str]:
    """The cells of a broken row that can be read: perhaps they tell whose row it is."""
    return {k: v for k, v in row.items() if isinstance(k, str) and isinstance(v, str) and not _broken(v)}


def _shown(row: Mapping[Any, Any]) -> str:
    return beginning(str([value for value in row.values() if value is not None]).encode("utf-8", "replace"))


def _broken(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)
