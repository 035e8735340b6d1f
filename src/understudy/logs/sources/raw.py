"""One record of a file, or why it could not be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Raw:
    """One record of a file.

    Attributes:
        where: file and line, item or row, from 1.
        record: parsed; with a problem, what is known of it, else None.
        problem: why it cannot be used, in words that are the same for all such records; empty where it can.
        detail: more on the problem.
        text: what could not be parsed, cut to its beginning.
    """

    where: str
    record: object
    problem: str = ""
    detail: str = ""
    text: str = ""
