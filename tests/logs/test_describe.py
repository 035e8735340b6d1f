"""Counts of a file of logs, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.errors import LogError
from understudy.logs.conversation import Conversation, Turn, read_conversations
from understudy.logs.deal_or_no_deal import read_negotiations
from understudy.logs.describe import describe, mean, quantile
from understudy.logs.importing import DIALOGUES, import_logs
from understudy.report.logs_page import _ordinal, _render, endings_of, speakers_of

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "deal_or_no_deal" / "train.txt"


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


def negotiation(ending: str, takes: tuple[list[int], list[int]] | None = None, **more: object) -> Conversation:
    user_takes, assistant_takes = takes or (None, None)
    values = {"user_values": [2, 1, 5], "assistant_values": [1, 3, 0]}
    known = {**values, "ending": ending, "user_takes": user_takes, "assistant_takes": assistant_takes, **more}
    return Conversation("n", (Turn("user", "hi"), Turn("assistant", "ok")), extra=known)


def test_points_of_negotiations_where_they_are_known() -> None:
    found = describe([
        negotiation("agreed", ([1, 0, 1], [0, 3, 0])),  # 7 and 9
        negotiation("agreed", ([0, 3, 0], [1, 0, 1])),  # 3 and 1
        negotiation("disagree"),
        negotiation("no_agreement"),
        negotiation("disconnect"),
        negotiation("agreed", ([1, 0, 1], [0, 3, 0]), user_values="two each"),
        talk(1, 0),
    ])  # fmt: skip
    assert (found.points, found.deals) == ({"user": {7: 1, 3: 1, 0: 2}, "assistant": {9: 1, 1: 1, 0: 2}}, 2)
    assert ("mean points (0 without a deal)", ["2.50", "2.50"]) in speakers_of(found)
    assert ("mean points of deals", ["5.00", "5.00"]) in speakers_of(found)
    assert endings_of(found)[0] == ("agreed", "43%", "3")
    assert "mean points of deals" in _render(found, "x.jsonl")


def test_points_are_left_out_where_none_are_known() -> None:
    for found in (describe([talk(1, 0)]), describe([negotiation("disconnect")])):
        assert not any("points" in title for title, _ in speakers_of(found))
    without_deal = describe([negotiation("disagree")])
    assert ("mean points (0 without a deal)", ["0.00", "0.00"]) in speakers_of(without_deal)
    assert not any(title == "mean points of deals" for title, _ in speakers_of(without_deal))


def test_points_of_the_authors_file(tmp_path: Path) -> None:
    import_logs([str(FIXTURE)], tmp_path / "out")
    found = describe(read_conversations(tmp_path / "out" / DIALOGUES))
    negotiations, summary = read_negotiations(FIXTURE)
    assert (found.deals, found.points["user"].total()) == (summary.agreed, summary.negotiations - summary.disconnect)
    for side, values, takes in (
        ("user", "first_values", "first_takes"),
        ("assistant", "second_values", "second_takes"),
    ):
        expected = sum(
            v * t for n in negotiations if getattr(n, takes)
            for v, t in zip(getattr(n, values), getattr(n, takes), strict=True)
        )  # fmt: skip
        assert sum(points * n for points, n in found.points[side].items()) == expected


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
