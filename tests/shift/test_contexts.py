"""h_t and the absorbing states."""

from __future__ import annotations

import pytest

from understudy.shift.contexts import Context, alive_by_turn, contexts_at_turn, last_common_turn
from understudy.types import Dialogue, Message, Outcome, Task

TASK = Task("f", "t", "", "", {})
U = [Message("user", f"u{i}") for i in range(3)]
A = [Message("agent", f"a{i}") for i in range(3)]
FINAL = Dialogue(TASK, "p", (U[0], A[0], U[1], A[1]), Outcome(1.0, "final"))
LEFT = Dialogue(TASK, "p", (U[0], A[0], Message("user", "forget it", end=True)), Outcome(0.0, "left"))


def test_context_is_what_stands_before_the_agents_message() -> None:
    assert contexts_at_turn([FINAL, LEFT], 0) == [Context((U[0],)), Context((U[0],))]
    assert contexts_at_turn([FINAL], 1) == [Context((U[0], A[0], U[1]))]


def test_an_ended_dialogue_keeps_its_ending_and_none_of_its_words() -> None:
    assert contexts_at_turn([FINAL, LEFT], 2) == [Context((), "final"), Context((), "left")]
    assert contexts_at_turn([LEFT], 1) == contexts_at_turn([LEFT], 7) == [Context((), "left")]
    assert not contexts_at_turn([LEFT], 1)[0].alive


def test_the_agent_may_open() -> None:
    dialogue = Dialogue(Task("f", "t", "", "", {}, opener="agent"), "p", (A[0], U[0], A[1]), Outcome(0.0, "turns"))
    assert contexts_at_turn([dialogue], 0) == [Context(())]
    assert contexts_at_turn([dialogue], 0)[0].alive
    assert contexts_at_turn([dialogue], 1) == [Context((A[0], U[0]))]


def test_turns_are_counted_from_0() -> None:
    with pytest.raises(ValueError, match="-1"):
        contexts_at_turn([FINAL], -1)


def test_last_common_turn() -> None:
    assert alive_by_turn([FINAL, LEFT]) == [2, 1]
    assert last_common_turn([FINAL] * 3, [FINAL, FINAL, LEFT], min_alive=2) == 1
    assert last_common_turn([FINAL] * 3, [FINAL, FINAL, LEFT], min_alive=3) == 0
    assert last_common_turn([FINAL] * 3, [FINAL], min_alive=2) is None
    assert last_common_turn([], [FINAL], min_alive=1) is None
