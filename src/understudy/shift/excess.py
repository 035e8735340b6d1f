"""How much worse a user model foretells people than the best model of them at hand: a heuristic where people have no
likelihood.

People's own likelihood would turn cross-entropy into KL divergence, and that into a bound on total variation. The best model
at hand stands in for it: the excess over it is at most the user's own (in expectation), as far as that model falls short of
people. So what follows is no bound, neither way; it ranks users, and says where they foretell people badly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from understudy.runs import stream
from understudy.shift.likelihood import kl_bound
from understudy.stats import bootstrap_interval


@dataclass(frozen=True, slots=True)
class ExcessCrossEntropy:
    """The user against the best model of people, at one turn, on messages that people said.

    Attributes:
        turn: of the user, counted from 0.
        nats: mean of log Q_best(message) - log Q_user(message) over the dialogues that have this turn; below 0 where
            the user is better here.
        low: lower end of its 95% bootstrap interval over dialogues.
        high: upper end.
        dialogues: that have this turn.
        heuristic: `kl_bound` of `nats`: the total variation that so large a divergence allows, if the best model were people.
    """

    turn: int
    nats: float
    low: float
    high: float
    dialogues: int
    heuristic: float


def excess_cross_entropy(
    user: Sequence[Sequence[float]], others: Sequence[Sequence[Sequence[float]]], *, seed: int, min_alive: int = 30
) -> list[ExcessCrossEntropy]:
    """One point per turn up to the last one that `min_alive` dialogues reach.

    The best model is the one of all, the user included, that gives the messages the highest likelihood in total; where that is
    the user itself, its excess is 0.

    Args:
        user: log-probabilities of people's messages under the user, by dialogue and message.
        others: the same messages under each other model of these people.
        seed: of the bootstrap.

    Raises:
        ValueError: if the models do not give the same numbers of messages.
    """
    best = max([user, *others], key=lambda model: sum(sum(dialogue) for dialogue in model))
    excess = [
        [b - u for b, u in zip(of_best, of_user, strict=True)] for of_best, of_user in zip(best, user, strict=True)
    ]
    points = []
    for turn in range(max(map(len, excess), default=0)):
        here = [dialogue[turn] for dialogue in excess if len(dialogue) > turn]
        if len(here) < min_alive:
            break
        found = bootstrap_interval(here, stream(seed, "excess", str(turn)))
        mean = float(np.mean(here))
        points.append(ExcessCrossEntropy(turn, mean, found.low, found.high, len(here), kl_bound(mean)))
    return points
