"""How much worse than the best model of people, and that it is called nothing more."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.shift.excess import excess_cross_entropy
from understudy.shift.likelihood import kl_bound

RNG = np.random.default_rng(0)
PEOPLE = np.array([0.5, 0.3, 0.2])
CLOSE, FAR = np.array([0.45, 0.35, 0.2]), np.array([0.2, 0.2, 0.6])
SAID = [RNG.choice(3, size=1 + i % 3, p=PEOPLE) for i in range(3000)]


def log_q(model: np.ndarray) -> list[list[float]]:
    return [np.log(model[said]).tolist() for said in SAID]


def test_the_excess_is_the_difference_of_divergences_and_is_found_at_every_turn() -> None:
    exact = float((PEOPLE * np.log(CLOSE / FAR)).sum())
    points = excess_cross_entropy(log_q(FAR), [log_q(CLOSE)], seed=0)
    assert [(p.turn, p.dialogues) for p in points] == [(0, 3000), (1, 2000), (2, 1000)]
    for point in points:
        assert point.low < exact < point.high
        assert point.low < point.nats < point.high
        assert point.heuristic == kl_bound(point.nats)


def test_the_best_of_several_is_the_reference_and_may_be_the_user_itself() -> None:
    assert excess_cross_entropy(log_q(FAR), [log_q(FAR), log_q(CLOSE)], seed=0) == excess_cross_entropy(
        log_q(FAR), [log_q(CLOSE)], seed=0
    )
    assert all(p.nats == p.heuristic == 0 for p in excess_cross_entropy(log_q(CLOSE), [log_q(FAR)], seed=0))


def test_turns_that_few_reach_are_left_out_and_other_messages_refused() -> None:
    assert len(excess_cross_entropy(log_q(FAR), [log_q(CLOSE)], seed=0, min_alive=1500)) == 2
    assert excess_cross_entropy([], [[]], seed=0) == []
    with pytest.raises(ValueError, match="shorter"):
        excess_cross_entropy([[-1.0]], [[[-0.5, -0.1]]], seed=0, min_alive=1)
