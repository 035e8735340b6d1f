"""What is advised follows from the bounds, and from how small a shift could have been seen."""

from __future__ import annotations

from understudy.shift.steps import StepShift
from understudy.shift.two_sample import TwoSample
from understudy.shift.verdict import verdict


def point_at(turn: int, tv_low: float = 0.0, detectable: float | None = 0.1) -> TwoSample:
    return TwoSample(turn, 0.6, 0.55, 0.65, 500, 500, 500, 400, tv_low + 0.1, tv_low, detectable=detectable)


def step(turn: int, tv_low: float = 0.0, detectable: float = 0.1) -> StepShift:
    return StepShift(turn, "words", point_at(turn, tv_low), tv_low, detectable)


def advice(policy: list[StepShift], simulator: list[StepShift], contexts: list[TwoSample]) -> list[str]:
    return [finding.advice for finding in verdict(policy, simulator, contexts)]


def test_what_is_shown_is_advised_upon_with_its_worst_turn() -> None:
    policy, simulator, contexts = verdict(
        [step(0, 0.2), step(1, 0.4)], [step(0), step(2, 0.1)], [point_at(0), point_at(1, 0.3)]
    )
    assert (policy.advice, simulator.advice, contexts.advice) == ("train", "align", "collect")
    assert "turns 0, 1: by a total variation of at least 0.40 at turn 1" in policy.text
    assert "at turn 2: by a total variation of at least 0.10" in simulator.text
    assert "turn 1 in at least 30% of the dialogues" in contexts.text


def test_what_is_not_found_is_told_with_what_would_have_been_seen() -> None:
    policy, simulator, contexts = verdict(
        [step(0, detectable=0.1), step(1, detectable=0.25)], [step(0)], [point_at(0, detectable=0.11)]
    )
    assert (policy.advice, simulator.advice, contexts.advice) == ("nothing found",) * 3
    assert "a total variation of 0.10 to 0.25, by turn" in policy.text
    assert "a total variation of 0.10 would have been seen" in simulator.text
    assert "a total variation of 0.11 would have been seen" in contexts.text


def test_too_few_dialogues_cannot_tell() -> None:
    assert advice([step(0, detectable=0.4)], [], []) == ["cannot tell"] * 3
    # One turn sharp enough to say something, another not: what was not found there may be named.
    assert advice([step(0, detectable=0.2), step(1, detectable=0.5)], [step(0)], [point_at(0)])[0] == "nothing found"


def test_few_dialogues_cannot_tell_contexts_apart_either() -> None:
    for unseen in (0.35, None):  # None: measured by an earlier version
        assert advice([step(0)], [step(0)], [point_at(0, detectable=unseen)])[2] == "cannot tell"
