"""The reward with real users, foretold: the simulated one, corrected reply by reply where logs show what people say instead.

With `V(c)` the expected reward of going on from a context with the simulated user,

    J(pi; P) - J(pi; P^) = sum_k Pr(reply k is reached) E_c[ E_{u ~ P} V(c, u) - E_{u ~ P^} V(c, u) ],

contexts `c` before the user's reply `k` as agent and real users lead to them (the performance difference lemma of Kakade and
Langford 2002, between users instead of policies). The difference is seen in logged contexts (`Reaction`); its mean over the
agent's own is taken by Bayesian quadrature, and how many dialogues reach a reply is corrected in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from understudy.evaluate.quadrature import mean_over, nearness
from understudy.evaluate.reactions import Reaction, before_reply, replies
from understudy.results import Foretold, ReplyEffect
from understudy.types import Dialogue, Message, Task

Values = NDArray[np.float64]
States = Callable[[Sequence[tuple[Task, Sequence[Message]]]], Values]
"""[N, F] what a model makes of contexts before a reply of the user: see `context_states`."""

LEVEL = 0.9
MIN_REACTIONS = 30
"""Replies of one turn are corrected where the logs show this many."""
SCALE = 0.1
"""Share of the largest reward by which a reply's effect may differ between contexts far apart, besides its own mean size."""
HIDDEN = 0.02
"""Share of the largest reward by which it may differ, turn after turn, between contexts that look alike to the model."""


def foretell(
    simulated: Sequence[Dialogue], reactions: Sequence[Reaction], states: States, reward_max: float
) -> Foretold:
    """The reward with real users with its 90% interval.

    The interval holds what sampling leaves, and what the contexts leave unknown that the agent comes to and the logs do not
    have; the latter is added up over turns, as one misunderstanding may be made at each of them. From the first turn on at
    which the logs show too few replies, any reward is possible.

    Args:
        simulated: of the agent with the simulated user, on the logs' own tasks.
        reactions: of the same two.
        reward_max: rewards lie in [0, reward_max].

    Raises:
        ValueError: if there is no simulated dialogue.
    """
    if not simulated:
        raise ValueError("there is no simulated dialogue")
    turns = max(replies(d.messages) for d in [*simulated, *(d for r in reactions for d in (r.people, r.simulated))])
    figures_of = partial(_figures, turns=turns, reward_max=reward_max)
    met = np.array([figures_of(d) for d in simulated])
    figures, effects = met.mean(axis=0), []
    sampling, unknown = float(met[:, 0].var()) / len(met), 0.0
    unseen: int | None = None
    for turn in range(turns):
        reached = float(np.clip(figures[1 + turn], 0, 1))
        here = [r for r in reactions if r.turn == turn]
        asked = [(d.task, said) for d in simulated if (said := before_reply(d, turn)) is not None]
        if len(here) < MIN_REACTIONS or not asked:
            unseen = turn if reached > 0 else None
            break
        values = np.array([figures_of(r.people) - figures_of(r.simulated) for r in here])
        scale = math.hypot(SCALE, float(values[:, 0].mean()))
        places = nearness(states([(r.logged.task, r.before) for r in here]), states(asked))
        found = mean_over(*places, values[:, 0], scale)
        figures = figures + reached * (found.weights @ values)
        sampling += (reached * found.noise) ** 2
        # Of an opening nothing is hidden: the tasks are the logs' own.
        hidden = HIDDEN if any(said for _, said in asked) else 0.0
        extrapolation = math.hypot(hidden, found.extrapolation)
        unknown += reached * extrapolation
        effects.append(
            ReplyEffect(
                turn=turn,
                reached=reached,
                reached_simulated=float(met[:, 1 + turn].mean()),
                replies=len(here),
                difference=float(found.weights @ values[:, 0]) * reward_max,
                noise=found.noise * reward_max,
                extrapolation=extrapolation * reward_max,
                covered=1 - min(1.0, found.extrapolation / scale),
            )
        )
    mean = float(np.clip(figures[0], 0, 1))
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt(sampling + unknown**2)
    low, high = _widened(mean - half, mean + half, met, figures, unseen)
    return Foretold(
        level=LEVEL,
        mean=mean * reward_max,
        low=max(0.0, low) * reward_max,
        high=min(1.0, high) * reward_max,
        reward_max=reward_max,
        effects=effects,
        unseen_from=unseen,
    )


def _figures(dialogue: Dialogue, turns: int, reward_max: float) -> Values:
    """[1 + turns] reward as a share of the largest, and whether each reply of the user was reached."""
    reached = np.arange(turns) < replies(dialogue.messages)
    return np.concatenate([[dialogue.outcome.reward / reward_max], reached.astype(float)])


def _widened(low: float, high: float, met: Values, figures: Values, unseen: int | None) -> tuple[float, float]:
    """Dialogues that reach a turn of which the logs show nothing may earn anything (Manski's bounds)."""
    if unseen is None:
        return low, high
    share = float(np.clip(figures[1 + unseen], 0, 1))
    there = met[met[:, 1 + unseen] > 0, 0]
    earned = float(there.mean()) if len(there) else 0.0
    return low - share * earned, high + share * (1 - earned)
