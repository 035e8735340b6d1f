"""Negotiations of Deal or No Deal, two lines each. What training refuses as a whole file is told here line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from understudy.errors import LogError
from understudy.logs.deal_or_no_deal import View, pair, parse_line
from understudy.logs.sources.raw import NO_UTF8, Raw, beginning

MARK = b"<input>"
"""What each line begins with."""
NO_NEGOTIATION = "no line of Deal or No Deal"
NO_TWIN = "a line without the twin that the other side's line would be"


def negotiation_records(path: Path, file: IO[bytes]) -> Iterator[Raw]:
    """Each negotiation once, at its first line; and the lines that are none, or that lack their twin. In order."""
    lines = file.read().splitlines()
    views, found = list[tuple[int, View]](), dict[int, Raw]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            views.append((number, parse_line(line.decode("utf-8-sig" if number == 1 else "utf-8"), where)))
        except UnicodeDecodeError as error:
            found[number] = Raw(where, None, NO_UTF8, f"byte {error.start + 1} of the line", beginning(line))
        except LogError as error:
            found[number] = Raw(where, None, NO_NEGOTIATION, error.what, beginning(line))
    negotiations, unpaired = pair(views)
    found |= {n.line: Raw(f"{path}:{n.line}", n) for n in negotiations}
    found |= {n: Raw(f"{path}:{n}", None, NO_TWIN, text=beginning(lines[n - 1])) for n in unpaired}
    yield from (found[number] for number in sorted(found))
