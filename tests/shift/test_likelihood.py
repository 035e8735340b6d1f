"""The estimate of total variation against its exact value, and how it is averaged over turns."""

from __future__ import annotations

import math

import numpy as np
import pytest

from understudy.shift.likelihood import (
    context_shift_by_turn,
    kl_bound,
    message_shift_by_turn,
    message_total_variation,
)
from understudy.stats import bounded_interval
from understudy.tasks.grammar import Literal
from understudy.tasks.population import Option, ReplyDistribution
from understudy.types import Dialogue, Message, Outcome, Task


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
    (point,) = message_shift_by_turn([[a] for a, _ in logs], [[b] for _, b in logs])
    assert point.low < exact < point.high
    assert point.tv == pytest.approx(exact, abs=0.03)
    (same,) = message_shift_by_turn([[a] for a, _ in logs], [[a] for a, _ in logs])
    assert same.tv == same.low == 0
    assert 0 < same.high < 0.002, "a difference that 4,000 replies could have missed"


@pytest.mark.parametrize("seed", range(20))
def test_the_divergence_bounds_the_total_variation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = (rng.dirichlet(np.full(4, scale)) for scale in (1.0, 0.3))
    tv = 0.5 * np.abs(p - q).sum()
    assert tv <= kl_bound(float((p * np.log(p / q)).sum())) <= 1


def test_what_the_divergence_says_by_hand() -> None:
    assert kl_bound(0.02) == pytest.approx(0.1)  # Pinsker
    assert kl_bound(3.0) == pytest.approx(math.sqrt(1 - math.exp(-3)))  # Bretagnolle and Huber
    assert kl_bound(-0.1) == 0, "an estimate may fall below"
    assert kl_bound(math.inf) == 1
    # Half of two dialogues' first messages: (log 2 + 0) / 2 nats; one has no second message, which counts 0.
    points = message_shift_by_turn([[0.0, 0.0], [0.0]], [[-math.log(2), -math.inf], [0.0]], min_alive=1)
    assert [p.kl_bound for p in points] == [kl_bound(math.log(2) / 2), 1.0]


def test_one_reply() -> None:
    assert message_total_variation(math.log(0.5), math.log(0.2)) == pytest.approx(0.6)
    assert message_total_variation(math.log(0.2), math.log(0.5)) == 0
    assert message_total_variation(-1.0, -math.inf) == 1
    with pytest.raises(ValueError, match="impossible"):
        message_total_variation(-math.inf, -1.0)


def test_ended_dialogues_count_as_no_difference_and_few_replies_as_none() -> None:
    one, two = [0.0], [0.0, 0.0]
    half = math.log(0.5)
    points = message_shift_by_turn([one, two, two], [[half], [half, -math.inf], [half, -math.inf]], min_alive=2)
    assert [(p.turn, p.tv, p.dialogues, p.alive) for p in points] == [
        (0, pytest.approx(0.5), 3, 3),
        (1, pytest.approx(2 / 3), 3, 2),
    ]
    assert len(message_shift_by_turn([one, two], [one, two], min_alive=2)) == 1
    with pytest.raises(ValueError, match="longer"):
        message_shift_by_turn([one], [two])


def talk(*sides: str) -> Dialogue:
    return Dialogue(
        Task("f", "t", "", "", {}),
        "p",
        tuple(Message("user" if s == "u" else "agent", s) for s in sides),
        Outcome(0, "x"),
    )


def test_contexts_hold_all_that_was_said_and_ended_dialogues_keep_their_difference() -> None:
    half, none = math.log(0.5), 0.0
    # Opening, act, reply, act; the second user's opening is half as likely, its reply as likely.
    long, short = talk("u", "a", "u", "a"), talk("u", "a", "u")
    points = context_shift_by_turn([long, short], "user", [[none, none]] * 2, [[half, none], [half, half]], min_alive=1)
    assert [(p.turn, p.tv, p.alive) for p in points] == [(0, pytest.approx(0.5), 2), (1, pytest.approx(0.625), 1)]
    # An agent's own message stands in its contexts from the next turn on, and its first context is never another.
    (first, second) = context_shift_by_turn([long], "agent", [[none, none]], [[half, half]], min_alive=1)
    assert (first.tv, second.tv) == (0, pytest.approx(0.5))
    # A later reply that the other user is surer of makes up for an earlier one.
    (_, mended) = context_shift_by_turn([long], "user", [[none, half]], [[half, none]], min_alive=1)
    assert mended.tv == 0
    with pytest.raises(ValueError, match="2 messages have 1 and 1"):
        context_shift_by_turn([long], "user", [[none]], [[none]], min_alive=1)


def test_the_interval_of_a_bounded_mean_covers_where_the_bootstrap_cannot() -> None:
    rng = np.random.default_rng(0)
    for share in (0.002, 0.05, 0.5, 0.98):
        hits = 0
        for _ in range(400):
            values = np.where(rng.random(200) < share, rng.random(200), 0.0)
            found = bounded_interval(values)
            hits += found.low <= share / 2 <= found.high
        # 95% with a standard error of 1.1 points; small shares are covered more often.
        assert hits / 400 > 0.91, share
    (nothing, all_ones) = (bounded_interval([value] * 100) for value in (0.0, 1.0))
    assert nothing.low == 0 < nothing.high < 0.05
    assert 0.95 < all_ones.low < all_ones.high == 1
    with pytest.raises(ValueError, match=r"lie in \[0, 1\]"):
        bounded_interval([1.5])
