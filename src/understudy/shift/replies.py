"""How far another user's replies are from real users', where both have likelihoods: `delta` by turn, estimated without bias."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from understudy.runs import stream
from understudy.stats import bootstrap_interval


@dataclass(frozen=True, slots=True)
class ReplyShift:
    """Total variation between two users' whole messages at one turn, averaged over the first user's contexts.

    A whole message can be worded in many ways, so that this is near 1 long before anything that matters differs: read it beside
    the coherence table, and compare users with it rather than with 0.

    Attributes:
        turn: 0 is the opening, t the reply to the agent's message t - 1 (`delta` of `understudy.shift.exact.user_shift`).
        tv: mean over all dialogues, the ended ones counting 0, in [0, 1].
        low: lower end of its 95% bootstrap interval over dialogues.
        high: upper end.
        dialogues: all of them.
        alive: those that have a reply at this turn.
    """

    turn: int
    tv: float
    low: float
    high: float
    dialogues: int
    alive: int


def reply_total_variation(log_p: float, log_q: float) -> float:
    """`(1 - Q(u) / P(u))+` for a reply u drawn from P: its mean over such replies is TV(P, Q), since TV = E_P (1 - Q / P)+.

    Args:
        log_p, log_q: log-probabilities of the reply under each user's actual distribution; `log_q` may be -inf.

    Raises:
        ValueError: if `log_p` is -inf: P has not said this.
    """
    if log_p == -math.inf:
        raise ValueError("the reply is impossible under the user that it should be drawn from")
    return max(0.0, -math.expm1(min(0.0, log_q - log_p)))


def reply_shift_by_turn(
    log_p: Sequence[Sequence[float]], log_q: Sequence[Sequence[float]], *, seed: int, min_alive: int = 30
) -> list[ReplyShift]:
    """One point per turn up to the last one that `min_alive` dialogues reach.

    Args:
        log_p: by dialogue and reply, for dialogues that user P held.
        log_q: the same replies under Q.

    Raises:
        ValueError: if the two do not hold the same numbers of replies.
    """
    distances = [
        [reply_total_variation(p, q) for p, q in zip(of_p, of_q, strict=True)]
        for of_p, of_q in zip(log_p, log_q, strict=True)
    ]
    points = []
    for turn in range(max(map(len, distances), default=0)):
        alive = sum(len(d) > turn for d in distances)
        if alive < min_alive:
            break
        values = np.array([d[turn] if len(d) > turn else 0.0 for d in distances])
        found = bootstrap_interval(values, stream(seed, "replies", str(turn)))
        points.append(ReplyShift(turn, found.mean, found.low, found.high, len(values), alive))
    return points
