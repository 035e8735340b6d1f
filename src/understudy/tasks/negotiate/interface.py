"""What the interface shows each side beside the other's words: its part of the division that was last proposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from understudy.tasks.negotiate.items import Counts, is_talk
from understudy.tasks.negotiate.offers import left, on_the_table, on_the_table_after
from understudy.types import Message


def shown(counts: Counts, messages: Sequence[Message]) -> str:
    """`your part 1 0 2` (books, hats, balls) to the side that is to answer the last message; nothing before a proposal.

    A function of what was said aloud alone, by the fixed rules of `offers`: it adds nothing to the words, and nothing that
    is said can pretend to another division. Written as a selection is, so that a small model can take it over.
    """
    speaker = messages[-1].role
    return _part(on_the_table(((m.role != speaker, m.text) for m in messages if is_talk(m)), counts))


def as_shown(counts: Counts, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages of a finished dialogue, each with what was shown beside it; nobody answers the last."""
    # What is on the table changes with what is said aloud alone; a selection leaves it as it was.
    after = on_the_table_after(((m.role == "agent", m.text if is_talk(m) else "") for m in messages), counts)
    beside = [
        _part(takes if takes is None or message.role == "user" else left(takes, counts))
        for message, takes in zip(messages, after, strict=True)
    ]
    return tuple(replace(m, shown=text) for m, text in zip(messages, [*beside[:-1], ""], strict=True))


def _part(takes: Counts | None) -> str:
    return "" if takes is None else "your part {} {} {}".format(*takes)
