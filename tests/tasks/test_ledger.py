"""The laboratory task: what is read, what is earned turn by turn, and that its users are as exactly known as the others."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from understudy.pipeline.known_logs import known_family, known_logs
from understudy.tasks.base import Check
from understudy.tasks.ledger import (
    OTHER_CHANGE,
    Ledger,
    Ledger2,
    Ledger4,
    Ledger16,
    People,
    counts_of,
    read_change,
    read_count,
)  # fmt: skip
from understudy.types import Message, Task

TASK = Task("ledger", "t", "keep the count . it stands at 4 .", "", {"start": 4, "changes": [2, 2, -2, -1]})
FAMILY = Ledger4()


def said(*texts: str) -> tuple[Message, ...]:
    return tuple(Message("agent" if i % 2 else "user", text) for i, text in enumerate(texts))


@pytest.mark.parametrize(
    ("text", "before", "change"),
    [
        ("add two", None, 2),
        ("please take three , thank you", 1, -3),
        ("a couple more", None, 2),
        ("drop one", None, -1),
        ("same again please", -3, -3),
        ("undo that", -3, 3),
        ("undo that", None, None),
        ("hello", 2, None),
    ],
)
def test_reading_a_change(text: str, before: int | None, change: int | None) -> None:
    assert read_change(text, before) == change


def test_turns_are_rewarded_and_an_error_that_is_taken_over_lasts() -> None:
    messages = said("add two", "now 6", "same again", "now 9", "undo that", "now 7", "drop one", "now 5")
    outcome = FAMILY.outcome(TASK, messages, "turns")
    assert counts_of(TASK) == [6, 8, 6, 5]
    assert outcome.turn_rewards == (1, 0, 0, 1)
    assert outcome.reward == 2
    assert FAMILY.reward_max == 4
    assert [read_count(text) for text in ("now 7", "it was 3 , now 12 .", "no idea")] == [7, 12, None]


def test_what_the_log_determines_of_one_message() -> None:
    messages = said("add two", "now 6", "same again", "now 9", "undo that", "now 7", "drop one", "now 5")
    act = FAMILY.final_act(TASK, messages)
    assert act is not None
    assert messages[act.position].role == "agent"
    for position, right in ((1, 6), (3, 8), (5, 6), (7, 5)):
        assert FAMILY.final_act_reward(TASK, messages, position, f"now {right}") == 1
        assert FAMILY.final_act_reward(TASK, messages, position, "now 0") == 0
    assert FAMILY.final_act_reward(TASK, messages, 2, "now 8") is None
    turns = Counter(
        FAMILY.final_act(Task("ledger", f"log-{i}", "", "", TASK.goal), messages).position
        for i in range(400)  # type: ignore[union-attr]
    )
    assert set(turns) == {1, 3, 5, 7}
    assert min(turns.values()) > 60


def test_the_user_is_shown_its_next_change_and_the_agent_nothing() -> None:
    messages = said("add two", "now 6", "same again", "now 8")
    assert FAMILY.shown(TASK, messages[:2]) == "next add two"
    assert FAMILY.shown(TASK, messages[:3]) == ""
    assert FAMILY.shown(TASK, messages) == "next take two"


def test_probabilities_are_frequencies() -> None:
    people, messages = People(), said("add two", "now 6")
    for persona, _ in people.personas():
        replies = people.reply(TASK, messages, persona)
        rng = np.random.default_rng(0)
        seen = Counter(replies.sample(rng).text for _ in range(4000))
        assert sum(replies.probability(Message("user", text)) for text in seen) == pytest.approx(1)
        for text, count in seen.items():
            p = replies.probability(Message("user", text))
            assert abs(count / 4000 - p) < 4 * (p * (1 - p) / 4000) ** 0.5 + 1e-9


@pytest.mark.parametrize("family", [Ledger2, Ledger4, Ledger, Ledger16])
def test_logs_of_people_keep_to_their_goals_and_of_the_clerk_do_not(family: type[Ledger]) -> None:
    known = known_family(f"understudy.tasks.ledger:{family.__name__}")
    logs = known_logs(known, 100, 20, seed=0)
    horizon = family.max_agent_turns
    assert all(len(d.messages) == 2 * horizon for d in logs)
    for dialogue in logs:
        assert family().coherence(dialogue.task, dialogue.messages) == [Check(OTHER_CHANGE, False)] * horizon
        assert all(0 <= count <= 9 for count in counts_of(dialogue.task))
    mean = np.mean([d.outcome.turn_rewards for d in logs], axis=0)
    assert mean[0] > 0.85
    if horizon >= 8:
        assert mean[-1] < mean[0] - 0.2, "errors last"
