"""What the interface shows each side beside the other's words: its part of the division that was last proposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from understudy.tasks.negotiate.items import Counts, is_talk
from understudy.tasks.negotiate.offers import on_the_table
from understudy.types import Message


def shown(counts: Counts, messages: Sequence[Message]) -> str:
    """`your part 1 0 2` (books, hats, balls) to the side that is to answer the last message; nothing before a proposal.

    A function of what was said aloud alone, by the fixed rules of `offers`: it adds nothing to the words, and nothing that
    is said can pretend to another division. Written as a selection is, so that a small model can take it over.
    """
    speaker = messages[-1].role
    takes = on_the_table(((m.role != speaker, m.text) for m in messages if is_talk(m)), counts)
    return "" if takes is None else "your part {} {} {}".format(*takes)


def as_shown(counts: Counts, messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages of a finished dialogue, each with what was shown beside it; nobody answers the last."""
    beside = [shown(counts, messages[: place + 1]) for place in range(len(messages) - 1)]
    return tuple(replace(m, shown=text) for m, text in zip(messages, [*beside, ""], strict=True))
