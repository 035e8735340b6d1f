"""What is divided, what it is worth, and the closing `<selection>` messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from understudy.types import Message, Role, Task

Counts = tuple[int, int, int]
"""Books, hats, balls."""

ITEMS = ("book", "hat", "ball")
SELECTION = "<selection>"
NO_DEAL = f"{SELECTION} none"
FULL_VALUE = 10
"""What all items together are worth to each side."""

_COUNTS = re.compile(r"(\d+) (\d+) (\d+)")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What lies on the table, and what one of each is worth to the two sides; each side's total is 10."""

    counts: Counts
    values: Counts
    other_values: Counts

    @property
    def sides(self) -> frozenset[tuple[Counts, Counts]]:
        """What each side was told, no matter which of them is which."""
        return frozenset({(self.counts, self.values), (self.counts, self.other_values)})


@dataclass(frozen=True, slots=True)
class Selection:
    """A message that starts with `<selection>`, read.

    Attributes:
        takes: books, hats and balls that the speaker takes; None for no deal, or where malformed.
        malformed: whether what follows `<selection>` is neither three whole numbers nor `none`.
    """

    takes: Counts | None
    malformed: bool = False

    @property
    def no_deal(self) -> bool:
        return self.takes is None and not self.malformed


def read_selection(text: str) -> Selection | None:
    """The selection in a message; None if it does not start with `<selection>`. Case and spaces do not matter."""
    words = " ".join(text.lower().split())
    if not words.startswith(SELECTION):
        return None
    rest = words.removeprefix(SELECTION).strip()
    if rest == "none":
        return Selection(None)
    match = _COUNTS.fullmatch(rest)
    if match is None:
        return Selection(None, malformed=True)
    return Selection((int(match[1]), int(match[2]), int(match[3])))


def selection_text(takes: Counts | None) -> str:
    """`<selection> 1 0 2`, or `<selection> none`."""
    return NO_DEAL if takes is None else f"{SELECTION} {takes[0]} {takes[1]} {takes[2]}"


def first_selection(messages: Sequence[Message]) -> int | None:
    """Index of the message that opened the closing; None while the two still talk."""
    return next((i for i, message in enumerate(messages) if read_selection(message.text)), None)


def public(message: Message) -> str | None:
    """Of a selection, that one is made; None of words, which are all public."""
    return None if read_selection(message.text) is None else SELECTION


def is_talk(message: Message) -> bool:
    """Whether it is said in words, and is no selection."""
    return read_selection(message.text) is None


def compatible(one: Selection | None, other: Selection | None, counts: Counts) -> bool:
    """Whether the two sides' selections divide all items exactly."""
    if one is None or other is None or one.takes is None or other.takes is None:
        return False
    return all(a + b == count for a, b, count in zip(one.takes, other.takes, counts, strict=True))


def points(takes: Counts, values: Counts) -> int:
    return sum(number * value for number, value in zip(takes, values, strict=True))


def complement(takes: Counts, counts: Counts) -> Counts:
    """What is left for the other side; 0 where more is taken than there is."""
    left = [max(count - number, 0) for number, count in zip(takes, counts, strict=True)]
    return left[0], left[1], left[2]


def is_pareto(takes: Counts, scenario: Scenario) -> bool:
    """Whether no other division gives one side more and the other no less; `takes` is of the side with `values`."""
    mine = points(takes, scenario.values)
    theirs = points(complement(takes, scenario.counts), scenario.other_values)
    for other in divisions(scenario.counts):
        a = points(other, scenario.values)
        b = points(complement(other, scenario.counts), scenario.other_values)
        if a >= mine and b >= theirs and a + b > mine + theirs:
            return False
    return True


def divisions(counts: Counts) -> Iterator[Counts]:
    """Everything that one side can take."""
    book, hat, ball = counts
    yield from product(range(book + 1), range(hat + 1), range(ball + 1))


def prompt(counts: Counts, values: Counts) -> str:
    """One side's private view: `book 1 worth 0 ; hat 4 worth 2 ; ball 1 worth 2`."""
    return " ; ".join(f"{item} {count} worth {value}" for item, count, value in zip(ITEMS, counts, values, strict=True))


def make_task(family: str, id: str, scenario: Scenario, *, opener: Role) -> Task:
    """A task in which the agent has the scenario's `values` and the user its `other_values`."""
    goal = {
        "counts": list(scenario.counts),
        "agent_values": list(scenario.values),
        "user_values": list(scenario.other_values),
    }
    return Task(
        family,
        id,
        agent_prompt=prompt(scenario.counts, scenario.values),
        user_prompt=prompt(scenario.counts, scenario.other_values),
        goal=goal,
        opener=opener,
    )


def scenario_of(goal: Mapping[str, Any]) -> Scenario:
    """The scenario of a task's goal, with the agent's side first."""
    counts, values, other_values = (_three(goal[key]) for key in ("counts", "agent_values", "user_values"))
    return Scenario(counts, values, other_values)


def _three(numbers: Sequence[int]) -> Counts:
    book, hat, ball = numbers
    return book, hat, ball
