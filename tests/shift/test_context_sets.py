"""Sets of features of contexts: each sees what it is for, none sees what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from understudy.shift.conduct import FIGURES, conduct
from understudy.shift.contexts import Context
from understudy.shift.two_sample import null_curve, shift_curve
from understudy.types import Dialogue, Message, Outcome, Task

RNG = np.random.default_rng(0)


def user(*texts: str) -> Context:
    return Context(tuple(Message("user", text) for text in texts))


def figure(context: Context, name: str) -> float:
    return float(conduct(context)[FIGURES.index(name)])


def test_conduct_by_hand() -> None:
    said = Context(
        (Message("user", "Hi, I want a red bike please"), Message("agent", "sorry ?"), Message("user", "no ! red ?"))
    )
    assert len(conduct(said)) == len(FIGURES) == 19
    expected = {
        "short": 0.5, "polite": 0.5, "pushes back": 0.5, "asks to be told": 0.5, "moved": 0.5, "accuses": 0.0,
        "words a message": np.log1p(4.5), "their spread": 2.5 / 4.5, "words said before": 1 / 9,
        "words of the opening": np.log1p(7), "front-loading": 7 / 8,
    }  # fmt: skip
    assert {name: figure(said, name) for name in expected} == pytest.approx(expected)
    assert not conduct(Context((Message("agent", "hello"),))).any()
    assert figure(user("you already told me that", "instead take the 2 of them"), "changes course") == 0.5
    assert figure(user("as an AI i can assist you"), "confuses the roles") == 1
    assert figure(user("definitely 3", "maybe"), "has a number") == 0.5


def talks(name: str, mark: str, people: int = 150) -> list[Dialogue]:
    """Two turns of random words; the user ends each message with a mark."""
    words = [f"w{i}" for i in range(3000)]
    dialogues = []
    for i in range(people):
        said = [" ".join(RNG.choice(words, 6)) + (f" {mark}" if k % 2 == 0 else "") for k in range(4)]
        messages = tuple(Message("user" if k % 2 == 0 else "agent", text) for k, text in enumerate(said))
        dialogues.append(Dialogue(Task("f", f"{name}{i}", "", "", {}), f"{name}{i}", messages, Outcome(0.0, "turns")))
    return dialogues


def _accusing(dialogue: Dialogue) -> Dialogue:
    said = (f"{m.text} you said x{RNG.integers(3000)}" if m.role == "user" else m.text for m in dialogue.messages)
    messages = tuple(replace(m, text=text) for m, text in zip(dialogue.messages, said, strict=True))
    return replace(dialogue, messages=messages)


def test_conduct_tells_users_apart() -> None:
    # Each accusation is of something else: that it is made is what they have in common.
    plain, accusing = talks("a", ""), [_accusing(dialogue) for dialogue in talks("b", "")]
    points = shift_curve(plain, accusing, 0, min_alive=100, sets=("words", "conduct"))
    assert [(p.turn, p.features) for p in points] == [(t, s) for t in (0, 1) for s in ("words", "conduct")]
    assert all(p.tv_low > 0.8 for p in points if p.features == "conduct")
    null = null_curve(talks("c", "", 300), 0, min_alive=100, sets=("words", "conduct"))
    assert {p.features for p in null} == {"words", "conduct"}
    assert all(p.tv_low == 0 for p in null)


def test_states_are_looked_at_of_the_same_tasks_whatever_the_order_of_the_samples() -> None:
    # What is talked about changes half-way through the tasks; the samples differ in nothing but their order.
    def about(side: str) -> list[Dialogue]:
        made = talks(side, "", 1200)
        return [
            replace(d, task=replace(d.task, id=f"task {i}", agent_prompt="old" if i < 600 else "new"))
            for i, d in enumerate(made)
        ]

    def states(said: Sequence[tuple[str, Sequence[Message]]]) -> np.ndarray:
        return np.array([[float(prompt == "old"), RNG.random()] for prompt, _ in said])

    a, b = about("a"), about("b")
    (point,) = shift_curve([*a[::2], *a[1::2]], b, 0, max_turn=0, min_alive=100, sets=("states",), states=states)
    assert (point.n_a, point.n_b) == (500, 500)
    assert point.low <= 0.5 <= point.high
    assert point.tv_low == 0


def test_states_are_asked_for_by_prompt_and_words_and_bounds_hold_for_all_sets_together() -> None:
    asked: list[tuple[str, Sequence[Message]]] = []

    def states(said: Sequence[tuple[str, Sequence[Message]]]) -> np.ndarray:
        asked.extend(said)
        return np.array([[float("!" in messages[-1].text), RNG.random()] for _, messages in said])

    a, b = talks("a", "!"), talks("b", "")
    alone = shift_curve(a, b, 0, max_turn=0, min_alive=100)
    both = shift_curve(a, b, 0, max_turn=0, min_alive=100, sets=("words", "states"), states=states)
    assert both[1].features == "states"
    assert both[1].auc == 1
    assert len(asked) == len(a) + len(b)
    assert (a[0].task.agent_prompt, a[0].messages[:1]) in asked
    assert both[0].detectable > alone[0].detectable, "the level is shared"
    with pytest.raises(ValueError, match="needs what makes them"):
        shift_curve(a, b, 0, min_alive=100, sets=("states",))
