"""One record of a file, or why it could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

SHOWN = 200
"""Characters that are shown of what could not be parsed."""
OFTEN = 256
"""Records between two reports of how far reading has come."""
OnPosition = Callable[[int], None]
"""Called now and then with how much is read: bytes of a file, records of what is streamed."""
NO_UTF8 = "no UTF-8"
"""The problem of bytes that are none, wherever they are found."""


@dataclass(frozen=True, slots=True)
class Raw:
    """One record of a file.

    Attributes:
        where: file and line, item or row, from 1.
        record: parsed; with a problem, what is known of it, else None.
        problem: why it cannot be used, in words that are the same for all such records; empty where it can.
        detail: more on the problem.
        text: what could not be parsed, cut to its `beginning`; empty where it is not at hand.
    """

    where: str
    record: object
    problem: str = ""
    detail: str = ""
    text: str = ""


def beginning(text: str | bytes) -> str:
    """The first characters of what could not be parsed; bytes that are no UTF-8 are replaced."""
    if isinstance(text, bytes):
        text = text[: 4 * SHOWN].decode("utf-8", "replace")  # no character takes more than 4 bytes
    return text.rstrip("\r\n")[:SHOWN]
