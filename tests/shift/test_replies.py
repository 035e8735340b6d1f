"""The estimate of total variation against its exact value, and how it is averaged over turns."""

from __future__ import annotations

import math

import numpy as np
import pytest

from understudy.shift.replies import reply_shift_by_turn, reply_total_variation
from understudy.tasks.grammar import Literal
from understudy.tasks.population import Option, ReplyDistribution


def test_its_mean_over_replies_is_the_total_variation() -> None:
    p = ReplyDistribution(
        [Option(0.6, Literal("yes")), Option(0.3, Literal("no")), Option(0.1, Literal("bye"), end=True)]
    )
    q = ReplyDistribution([Option(0.2, Literal("yes")), Option(0.5, Literal("no")), Option(0.3, Literal("bye"))])
    exact = 0.5 * (0.4 + 0.2 + 0.1 + 0.3)
    rng = np.random.default_rng(0)
    replies = [p.sample(rng) for _ in range(4000)]
    chances = [(p.probability(r), q.probability(r)) for r in replies]
    logs = [(math.log(a), math.log(b) if b > 0 else -math.inf) for a, b in chances]
    (point,) = reply_shift_by_turn([[a] for a, _ in logs], [[b] for _, b in logs], seed=0)
    assert point.low < exact < point.high
    assert point.tv == pytest.approx(exact, abs=0.03)
    (same,) = reply_shift_by_turn([[a] for a, _ in logs], [[a] for a, _ in logs], seed=0)
    assert (same.tv, same.high) == (0, 0)


def test_one_reply() -> None:
    assert reply_total_variation(math.log(0.5), math.log(0.2)) == pytest.approx(0.6)
    assert reply_total_variation(math.log(0.2), math.log(0.5)) == 0
    assert reply_total_variation(-1.0, -math.inf) == 1
    with pytest.raises(ValueError, match="impossible"):
        reply_total_variation(-math.inf, -1.0)


def test_ended_dialogues_count_as_no_difference_and_few_replies_as_none() -> None:
    one, two = [0.0], [0.0, 0.0]
    half = math.log(0.5)
    points = reply_shift_by_turn([one, two, two], [[half], [half, -math.inf], [half, -math.inf]], seed=0, min_alive=2)
    assert [(p.turn, p.tv, p.dialogues, p.alive) for p in points] == [
        (0, pytest.approx(0.5), 3, 3),
        (1, pytest.approx(2 / 3), 3, 2),
    ]
    assert len(reply_shift_by_turn([one, two], [one, two], seed=0, min_alive=2)) == 1
    with pytest.raises(ValueError, match="longer"):
        reply_shift_by_turn([one], [two], seed=0)
