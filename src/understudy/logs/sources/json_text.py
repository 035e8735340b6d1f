"""JSON lines, a JSON list, and one JSON object over several lines."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from understudy.logs.sources.raw import NO_UTF8, Raw, beginning

_WHOLE = 1 << 28
"""Bytes that are read at once where nothing else helps."""
NO_LIST = "a list that is cut off or no JSON from here on"


def json_lines(path: Path, file: IO[bytes]) -> Iterator[Raw]:
    """One record per line. A file that is one object over several lines is one record, or the list that it holds."""
    rest: Iterator[bytes] = iter(file)
    numbers = itertools.count(1)
    for line in rest:
        number = next(numbers)
        if line.strip():
            break
    else:
        return
    first = _parsed(path, number, line)
    if first.problem == "no JSON":
        following = file.read(_WHOLE) + file.readline()
        try:
            whole = json.loads(line + following)
        except (ValueError, RecursionError):
            rest = itertools.chain(io.BytesIO(following), file)
        else:
            yield from _unwrapped(path, Raw(first.where, whole))
            return
    later = ((number, line) for number, line in zip(numbers, rest, strict=False) if line.strip())
    second = next(later, None)
    if second is None:
        yield from _unwrapped(path, first)
        return
    yield first
    yield from (_parsed(path, number, line) for number, line in itertools.chain([second], later))


def json_list(path: Path, file: IO[bytes]) -> Iterator[Raw]:
    """The items of one list, which is not held whole unless it is not quite JSON (`NaN`, as Python writes it)."""
    import ijson

    number = 0
    try:
        for item in ijson.items(file, "item", use_float=True):
            number += 1
            yield Raw(f"{path}:item {number}", item)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        items = _whole_list(path)
        if items is None:
            yield Raw(f"{path}:item {number + 1}", None, NO_LIST, (str(error) or "no JSON").splitlines()[0])
            return
        yield from (Raw(f"{path}:item {n}", item) for n, item in enumerate(items, 1) if n > number)


def _whole_list(path: Path) -> list[object] | None:
    if path.suffix == ".gz" or path.stat().st_size > _WHOLE:
        return None
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _parsed(path: Path, number: int, line: bytes) -> Raw:
    where, shown = f"{path}:{number}", beginning(line)
    try:
        return Raw(where, json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8")))
    except UnicodeDecodeError as error:
        return Raw(where, None, NO_UTF8, f"byte {error.start + 1} of the line", shown)
    except json.JSONDecodeError as error:
        # Whoever writes line by line ends each line.
        problem = "no JSON" if line.endswith(b"\n") else "a last line that is cut off"
        return Raw(where, None, problem, f"{error.msg} at column {error.colno}", shown)
    except (ValueError, RecursionError) as error:  # numbers and nesting without end
        return Raw(where, None, "no JSON that can be held", str(error), shown)


def _unwrapped(path: Path, raw: Raw) -> Iterator[Raw]:
    """The records of an object that is no conversation but holds some, such as `{"data": [{"messages": [...]}, ...]}`."""
    record = raw.record if isinstance(raw.record, dict) else {}
    lists = {key: items for key, items in record.items() if isinstance(items, list) and items and _holds_talk(items[0])}
    if not lists or _holds_talk(record):
        yield raw
        return
    for key, items in lists.items():
        yield from (Raw(f"{path}:{key} {number}", item) for number, item in enumerate(items, 1))


def _is_talk(value: object) -> bool:
    """Whether it is a list of messages."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    return not {"role", "from", "speaker"}.isdisjoint(value[0])


def _holds_talk(item: object) -> bool:
    """Whether it is an object with a list of messages."""
    return isinstance(item, dict) and any(_is_talk(value) for value in item.values())
