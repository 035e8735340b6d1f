"""Counts of a file of logs, worked out by hand."""

from __future__ import annotations

import pytest

from understudy.errors import LogError
from understudy.logs.conversation import Conversation, Turn
from understudy.logs.describe import describe, mean, quantile
from understudy.report.logs_page import _ordinal, _render, speakers_of


def talk(turns: int, number: int) -> Conversation:
    said = [t for i in range(turns) for t in (Turn("user", f"Word {i}"), Turn("assistant", "ok"))]
    outcome = {"ending": "final", "reward": turns / 10} if number % 2 else {"ending": "left", "reward": 0.0}
    return Conversation(str(number), (Turn("system", "be brief"), *said), f"p{number % 3}", {"outcome": outcome})


def test_counts_by_hand() -> None:
    found = describe([talk(turns, number) for number, turns in enumerate([1] * 5 + [2] * 10 + [3] * 15)])
    assert (found.conversations, len(found.by_person)) == (30, 3)
    assert (found.openers, found.closers) == ({"user": 30}, {"assistant": 30})
    assert found.words == {"user": {2: 70}, "assistant": {1: 70}}
    assert found.vocabulary["user"] == {"word": 70, "0": 30, "1": 25, "2": 15}
    hazards = found.stop_hazard()
    assert [h.mean for h in hazards.values()] == pytest.approx([5 / 30, 10 / 25, 1.0])
    assert [h.n for h in hazards.values()] == [30, 25, 15]
    assert found.endings == {"left": 15, "final": 15}
    rewards = [turns / 10 for number, turns in enumerate([1] * 5 + [2] * 10 + [3] * 15) if number % 2]
    assert found.mean_reward == pytest.approx(sum(rewards) / 30)
    assert speakers_of(found)[0] == ("messages", ["70", "70"])


def test_hazards_end_where_too_few_are_left() -> None:
    found = describe([talk(1 if number < 25 else 9, number) for number in range(30)])
    assert list(found.stop_hazard()) == [1]


def test_quantiles_and_means_of_counts() -> None:
    assert [quantile({1: 5, 10: 4, 100: 1}, share) for share in (0, 0.5, 0.51, 0.9, 1.0)] == [1, 1, 10, 10, 100]
    assert mean({1: 5, 10: 4, 100: 1}) == pytest.approx(14.5)


def test_the_page_holds_the_figures_and_escapes_names() -> None:
    page = _render(describe([talk(2, number) for number in range(20)]), "<b>.jsonl")
    assert "Half of the conversations end by the user&#39;s 2nd message" in page
    assert "<b>.jsonl" not in page
    assert page.count("<svg") == 3
    assert "src=" not in page
    assert [_ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th",
    ]  # fmt: skip


def test_nothing_to_describe() -> None:
    with pytest.raises(LogError, match="no conversation"):
        describe([])
