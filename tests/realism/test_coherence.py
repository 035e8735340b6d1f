"""The coherence table: counts by hand, intervals that know that occasions come in dialogues."""

from __future__ import annotations

import math
from collections.abc import Sequence

from conftest import ColourFamily
from understudy.realism.coherence import CoherenceRow, coherence_table
from understudy.stats import binomial_interval
from understudy.tasks.base import Check
from understudy.types import Dialogue, Message, Outcome, Task


class Judge(ColourFamily):
    """A user must say `red`; each message is an occasion, and so is each `ok` (to approve what is not red)."""

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        checks = [Check("says another colour", "red" not in m.text) for m in messages]
        return checks + [Check("approves blue", True) for m in messages if "ok" in m.text]


def said(*texts: str) -> Dialogue:
    return Dialogue(Task("f", "t", "", "", {}), "p", tuple(Message("user", t) for t in texts), Outcome(0.0, "turns"))


def test_counts_and_order() -> None:
    rows = coherence_table(Judge(), [said("red", "blue"), said("red red"), said("ok red")])
    assert [(r.kind, r.occasions, r.violations, r.rate) for r in rows] == [
        ("approves blue", 1, 1, 1.0),
        ("says another colour", 4, 1, 0.25),
    ]
    assert 0 < rows[1].low < 0.25 < rows[1].high < 1


def test_never_violated_counts_dialogues_not_occasions() -> None:
    (row,) = coherence_table(Judge(), [said(*["red"] * 9) for _ in range(10)])
    expected = binomial_interval(0, 10)
    assert (row.occasions, row.violations, row.rate, row.low, row.high) == (90, 0, 0.0, 0.0, expected.high)


def test_no_occasion() -> None:
    assert coherence_table(Judge(), []) == []
    (row,) = coherence_table(Judge(), [], kinds=["approves blue"])
    assert isinstance(row, CoherenceRow)
    assert (row.occasions, row.violations, row.low, row.high) == (0, 0, 0.0, 1.0)
    assert math.isnan(row.rate)
