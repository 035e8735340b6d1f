"""Which contexts of the validation part no training dialogue had."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from understudy.tasks.negotiate.items import Counts, scenario_of
from understudy.types import Dialogue

Side = tuple[Counts, Counts]
"""Counts and values: all that one side is told."""


@dataclass(frozen=True, slots=True)
class UnseenContexts:
    """Contexts of the judged dialogues, and those among them that the training dialogues do not have.

    Attributes:
        pairs, sides: all contexts of the judged dialogues; a pair is what both sides were told, in no order.
        unseen_pairs, unseen_sides: those not in training. Each side of an unseen pair may well have been seen.
    """

    pairs: frozenset[frozenset[Side]]
    sides: frozenset[Side]
    unseen_pairs: frozenset[frozenset[Side]]
    unseen_sides: frozenset[Side]


def unseen_contexts(train: Iterable[Dialogue], judged: Iterable[Dialogue]) -> UnseenContexts:
    """Compare the contexts of two sets of dialogues."""
    seen = frozenset(context(dialogue) for dialogue in train)
    pairs = frozenset(context(dialogue) for dialogue in judged)
    seen_sides, sides = (frozenset(side for pair in some for side in pair) for some in (seen, pairs))
    return UnseenContexts(pairs, sides, pairs - seen, sides - seen_sides)


def context(dialogue: Dialogue) -> frozenset[Side]:
    """What the two sides of a dialogue were told, in no order."""
    return scenario_of(dialogue.task.goal).sides
