"""One step off the logs: what is told apart, what is not, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from understudy.errors import UnderstudyError
from understudy.one_step import OneStep, one_step
from understudy.shift.auc import detectable_total_variation, total_variation_bound
from understudy.shift.steps import at_turns, step_shift
from understudy.shift.telling import LEAVES, telling_contexts, telling_words
from understudy.speaker import Failure, Request
from understudy.types import Dialogue, Message, Outcome, Task, TokenRecord

COLOURS = ("red", "green", "blue", "white")


def logged(n: int, seed: int = 0) -> list[Dialogue]:
    """The user names the colour of its goal, is asked again, and either repeats it or (one in four) leaves."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        colour = COLOURS[int(rng.integers(4))]
        leaves = rng.random() < 0.25
        messages = (
            Message("user", f"{rng.choice(['hi', 'hello'])} {colour} please"),
            Message("agent", str(rng.choice(["which colour ?", "which one ?"]))),
            Message("user", "" if leaves else f"{colour} {rng.choice(['of course', 'thanks'])}", end=bool(leaves)),
        )
        task = Task("f", f"t{i}", "you sell paint", f"you want {colour}", {"colour": colour})
        found.append(Dialogue(task, f"p{i}", messages, Outcome(0.0, "left" if leaves else "turns")))
    return found


class Again:
    """Says what somebody of the same kind said elsewhere in the logs, with a fault of its own."""

    def __init__(self, fault: str = "") -> None:
        self.fault, self.failed = fault, 0

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Message | Failure:
        rng = np.random.default_rng(request.seed)
        said = logged(1, seed=int(rng.integers(10**9)))[0].messages[len(request.messages)]
        if self.fault == "fails" and rng.random() < 0.1:
            self.failed += 1
            return Failure("line went dead")
        if self.fault == "never leaves":
            while said.end:
                said = logged(1, seed=int(rng.integers(10**9)))[0].messages[len(request.messages)]
        # It says its own colour, not another's, unless that is what it gets wrong.
        colour = request.prompt.split()[-1]
        if self.fault == "another colour" and rng.random() < 0.5:
            colour = COLOURS[(COLOURS.index(colour) + 1) % 4]
        words = [colour if word in COLOURS else word for word in said.text.split()]
        return replace(said, text=" ".join(words))

    def finish(self, key: int) -> TokenRecord | None:
        return None


def steps(speaker: Again, n: int = 400) -> list[OneStep]:
    return one_step(speaker, "user", logged(n), contexts=10**6, width=64, seed=1)


def test_a_speaker_like_the_logs_is_not_told_from_them() -> None:
    found = step_shift(steps(Again()), seed=0)
    assert [(p.turn, p.features) for p in found.points] == [(t, f) for t in (0, 1) for f in ("words", "relations")]
    for point in found.points:
        assert point.test.low < 0.5 < point.test.high
        assert point.tv_low == 0
        assert 0.1 < point.detectable < 0.25
    assert telling_words(at_turns(steps(Again()))[0]) == []


def test_never_leaving_is_seen_where_people_leave_and_named() -> None:
    made = steps(Again("never leaves"))
    by_turn = {(p.turn, p.features): p for p in step_shift(made, seed=0).points}
    assert by_turn[0, "words"].tv_low == 0
    leaves = by_turn[1, "words"]
    # A quarter of people leave; the bound holds for four tests together.
    assert 0.05 < leaves.tv_low < leaves.test.tv_lower_bound == pytest.approx(0.25, abs=0.06)
    (first, *_) = telling_words(at_turns(made)[1])
    assert first.words == LEAVES
    assert first.own == 0
    assert first.logged == pytest.approx(0.25, abs=0.07)
    assert first.z > 0


def test_a_wrong_colour_is_seen_by_relations_alone() -> None:
    # Each word is as frequent as in the logs, and the goal is in no word that is said before the opening.
    points = {(p.turn, p.features): p for p in step_shift(steps(Again("another colour")), seed=0).points}
    assert points[0, "relations"].tv_low > 0.2
    assert points[0, "words"].test.auc < 0.6
    assert points[0, "relations"].test.tv_lower_bound == pytest.approx(0.5, abs=0.08)


def test_acts_tell_what_is_done_apart_from_how_it_is_said() -> None:
    def act(task: Task, message: Message) -> str:
        return "leaves" if message.end else "says its colour" if task.goal["colour"] in message.text else "says another"

    made = steps(Again("another colour"))
    points = {(p.turn, p.features): p for p in step_shift(made, seed=0, act=act).points}
    assert points[0, "acts"].tv_low > 0.2
    assert points[0, "words"].tv_low == 0
    # Other words for the same acts are no difference to them.
    politer = [s._replace(message=replace(s.message, text=f"{s.message.text} kindly")) for s in steps(Again())]
    polite = {(p.turn, p.features): p for p in step_shift(politer, seed=0, act=act).points}
    assert polite[0, "words"].tv_low > 0.8
    assert polite[0, "acts"].tv_low == 0


def test_states_tell_what_words_cannot() -> None:
    """A model that sees whether the colour is the right one, which no word by itself does."""

    def states(said: Sequence[tuple[str, Sequence[Message]]]) -> np.ndarray:
        rng = np.random.default_rng(0)
        right = [[float(prompt.split()[-1] in messages[-1].text.split())] for prompt, messages in said]
        return np.array(right) + 0.3 * rng.normal(size=(len(said), 1))

    wrong = steps(Again("another colour"), 800)
    points = step_shift(wrong, seed=0, states=states).points
    tests = {point.features: point for point in points if point.turn == 0}
    assert tests["states"].test.auc > 0.7
    assert tests["states"].test.p_value == 1 / 200
    assert tests["states"].test.n_a == 500 < tests["words"].test.n_a
    assert tests["words"].test.auc < 0.6
    assert [point.features for point in step_shift(wrong, seed=0).points if point.turn == 0] == ["words", "relations"]


def test_contexts_that_carry_it_are_named() -> None:
    made = steps(Again(), 600)
    asked = [i for i, s in enumerate(made) if s.before and "colour" in s.before[-1].text]
    wrong = [replace_own(s, "purple") if i in set(asked) else s for i, s in enumerate(made)]
    found = step_shift(wrong, seed=0)
    (first, *_) = telling_contexts(at_turns(wrong)[1], found.margins[1])
    assert "colour" in first.words
    assert first.margin > first.elsewhere


def replace_own(step: OneStep, text: str) -> OneStep:
    return step._replace(message=Message("user", text))


def test_failures_are_left_out_and_few_pairs_are_no_test() -> None:
    speaker = Again("fails")
    made = steps(speaker)
    assert len(made) == 800 - speaker.failed
    assert speaker.failed > 40
    assert step_shift(made[:90], seed=0).points == []
    with pytest.raises(UnderstudyError, match="give at least"):
        step_shift(made, seed=0, min_pairs=5)


def test_what_would_have_been_seen_is_what_is_seen() -> None:
    # Two fixed classifiers' answers with errors of both kinds equally frequent, 200 samples.
    n = 500
    tv = detectable_total_variation(n)
    rng = np.random.default_rng(0)
    label = np.arange(2 * n) < n
    seen = 0
    for _ in range(200):
        right = rng.random(2 * n) < (1 + tv) / 2
        seen += total_variation_bound(np.where(right, label, ~label), label, np.arange(2 * n))[1] > 0
    # The bound counts each answer as half for cross-fitting, which these answers do not need: their spread is smaller by
    # sqrt(2), so that .8 becomes P(z > (1.645 - 2.487) * sqrt(2)) = .88; 4 standard errors are .09.
    assert seen / 200 == pytest.approx(0.88, abs=0.09)
    assert detectable_total_variation(4 * n) == pytest.approx(tv / 2, rel=0.02)
    assert detectable_total_variation(n, level=0.99) > tv


def test_nothing_is_read_where_no_turn_has_enough_steps() -> None:
    def states(said: Sequence[tuple[str, Sequence[Message]]]) -> np.ndarray:
        raise AssertionError("there is nothing to read")

    few = one_step(Again(), "user", logged(20), contexts=40, width=8, seed=1)
    assert step_shift(few, seed=0, states=states).points == []
