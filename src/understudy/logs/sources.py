"""What a file of logs holds, record by record, whatever it is stored as; nothing is read whole that need not be."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from understudy.errors import LogError
from understudy.logs.deal_or_no_deal import read_negotiations

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".txt")
"""Endings of the files that are read in a folder; each may be followed by `.gz`, except the binary ones."""
_HUB = "pip install 'understudy[hub]'"
_LARGEST_CELL = 1 << 27

OnBytes = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Raw:
    """One record of a file.

    Attributes:
        where: file and line, item or row, from 1.
        record: parsed; None where there is a problem.
        problem: why it could not be parsed, in words that are the same for all such records; empty where it could.
        detail: more on the problem.
        text: what could not be parsed, cut to its beginning.
    """

    where: str
    record: object
    problem: str = ""
    detail: str = ""
    text: str = ""


def files_of(path: Path) -> list[Path]:
    """A file, or all files of a folder and its folders that could hold logs, in order.

    Raises:
        LogError: if there is nothing there.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise LogError(
            "does not exist",
            where=str(path),
            fix="give a file, a folder, or the name of a data set as hub:owner/name",
        )
    found = sorted(p for p in path.rglob("*") if p.is_file() and _suffix(p) in SUFFIXES and not p.name.startswith("."))
    if not found:
        raise LogError("holds no file of logs", where=str(path), fix=f"give files that end in {', '.join(SUFFIXES)}")
    return found


def raw_records(path: Path, on_bytes: OnBytes = lambda position: None) -> Iterator[Raw]:
    """The records of one file. What cannot be parsed is given as a problem, and reading goes on after it.

    Args:
        on_bytes: called now and then with the position in the file.

    Raises:
        LogError: if the file cannot be read at all.
    """
    suffix = _suffix(path)
    try:
        if suffix in (".parquet", ".arrow"):
            yield from _columnar(path, suffix)
            return
        with path.open("rb") as stored:
            file = gzip.GzipFile(fileobj=stored) if path.suffix == ".gz" else stored
            head = file.peek(1 << 12).removeprefix(b"\xef\xbb\xbf").lstrip()[:64]
            for count, raw in enumerate(_readable(path, cast(IO[bytes], file), suffix, head)):
                if count % 256 == 0:
                    on_bytes(stored.tell())
                yield raw
    except OSError as error:  # a damaged .gz is one of these
        raise LogError(f"cannot be read: {error.strerror or error}", where=str(path), fix="check the file") from None
    except EOFError:
        raise LogError("is cut off", where=str(path), fix="copy it again, or unpack as much as there is") from None


def hub_records(name: str, split: str) -> Iterator[Raw]:
    """The records of a Hugging Face data set by its name (or of its folder), streamed.

    Raises:
        LogError: if `datasets` is missing, or the data set or its split cannot be had.
    """
    try:
        import datasets
    except ImportError:
        raise LogError("data sets by name need the package `datasets`", where=name, fix=_HUB) from None
    try:
        rows = datasets.load_dataset(name, split=split, streaming=True)
        for number, row in enumerate(rows, 1):
            yield Raw(f"{name}:{split}:{number}", dict(row))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise LogError(
            f"cannot be loaded: {str(error).splitlines()[0]}", where=name, fix="check the name, --split and the network"
        ) from None


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix == ".gz" else path.suffix.lower()


def _readable(path: Path, file: IO[bytes], suffix: str, head: bytes) -> Iterator[Raw]:
    if head.startswith(b"<input>"):
        yield from (Raw(f"{path}:{n.line}", n) for n in read_negotiations(path)[0])
    elif suffix in (".csv", ".tsv"):
        yield from _table(path, file, "\t" if suffix == ".tsv" else ",")
    elif head.startswith(b"["):
        yield from _list(path, file)
    else:
        yield from _lines(path, file)


def _lines(path: Path, file: IO[bytes]) -> Iterator[Raw]:
    """JSON lines; a file that is one JSON object over several lines is one record."""
    first = True
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            yield Raw(where, json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8")))
        except UnicodeDecodeError as error:
            yield Raw(where, None, "no UTF-8", f"byte {error.start + 1} of the line", line[:200].decode("latin-1"))
        except json.JSONDecodeError as error:
            if first and (whole := _whole(line + file.read())) is not None:
                yield Raw(where, whole)
                return
            # Whoever writes line by line ends each line.
            problem = "no JSON" if line.endswith(b"\n") else "a last line that is cut off"
            detail = f"{error.msg} at column {error.colno}"
            yield Raw(where, None, problem, detail, line[:200].decode("utf-8", "replace").rstrip("\n"))
        first = False


def _whole(content: bytes) -> object | None:
    try:
        return json.loads(content)  # type: ignore[no-any-return]
    except ValueError:
        return None


def _list(path: Path, file: IO[bytes]) -> Iterator[Raw]:
    """The items of one JSON list, which is never held whole."""
    import ijson

    number = 0
    try:
        for item in ijson.items(file, "item", use_float=True):
            number += 1
            yield Raw(f"{path}:item {number}", item)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        detail = str(error).splitlines()[0]
        yield Raw(f"{path}:item {number + 1}", None, "a list that is cut off or no JSON from here on", detail)


def _table(path: Path, file: IO[bytes], delimiter: str) -> Iterator[Raw]:
    csv.field_size_limit(_LARGEST_CELL)
    # Bytes that are no UTF-8 become lone surrogates, so that the reader can go on to the next row.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.DictReader(text, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                wanted = len(reader.fieldnames or ())
                yield Raw(where, None, "a row of another length", f"the header has {wanted} columns", _cells(row))
            elif any(not value.isascii() and _broken(value) for value in row.values()):
                yield Raw(where, None, "no UTF-8", "", _cells(row))
            else:
                yield Raw(where, row)
    except csv.Error as error:
        yield Raw(f"{path}:{reader.line_num}", None, "a table that is cut off or no CSV from here on", str(error))


def _cells(row: Mapping[Any, Any]) -> str:
    return str([value for value in row.values() if value is not None])[:200].encode("utf-8", "replace").decode()


def _broken(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _columnar(path: Path, suffix: str) -> Iterator[Raw]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise LogError("parquet and arrow files need the package `pyarrow`", where=str(path), fix=_HUB) from None
    number = 0
    try:
        for batch in _batches(arrow, parquet, path, suffix):
            for row in batch.to_pylist():
                number += 1
                yield Raw(f"{path}:row {number}", row)
    except arrow.ArrowInvalid as error:
        raise LogError(f"is damaged: {error}", where=str(path), fix="copy or export it again") from None


def _batches(arrow: Any, parquet: Any, path: Path, suffix: str) -> Iterator[Any]:
    if suffix == ".parquet":
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=256)
        return
    with arrow.memory_map(str(path)) as mapped:
        try:
            reader = arrow.ipc.open_stream(mapped)
            yield from reader
        except arrow.ArrowInvalid:  # the other of arrow's two layouts
            file = arrow.ipc.open_file(mapped)
            yield from (file.get_batch(i) for i in range(file.num_record_batches))
