"""The reward with real users, foretold: the simulated one, corrected reply by reply where logs show what people say instead.

With `V(c)` the expected reward of going on from a context with the simulated user,

    J(pi; P) - J(pi; P^) = sum_k Pr(reply k is reached) E_c[ E_{u ~ P} V(c, u) - E_{u ~ P^} V(c, u) ],

contexts `c` before the user's reply `k` as agent and real users lead to them (the performance difference lemma of Kakade and
Langford 2002, between users instead of policies). The difference is seen in logged contexts (`Reaction`), and its mean over the
agent's own is taken by Bayesian quadrature. Which contexts those are, how many dialogues come to them, and what is earned by
those that do is corrected in the same way, turn by turn: a context counts that people's replies lead to, and one that the
user's replies alone lead to no longer does.
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
from understudy.runs import stream
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
_RESAMPLES = 500


def foretell(
    simulated: Sequence[Dialogue], reactions: Sequence[Reaction], states: States, reward_max: float, *, seed: int
) -> Foretold:
    """The reward with real users with its 90% interval.

    The interval holds what sampling leaves (bootstrap over dialogues and reactions), and what the contexts leave unknown
    that the agent comes to and the logs do not have, or that the model's states do not tell apart; the latter is added up
    over turns, as one misunderstanding may be made at each of them. From the first turn on at which too few replies were
    taken up, any reward is possible.

    Args:
        simulated: of the agent with the simulated user, on the logs' own tasks.
        reactions: of the same two.
        reward_max: rewards lie in [0, reward_max].
        seed: of the bootstrap.

    Raises:
        ValueError: if there is no simulated dialogue.
    """
    if not simulated:
        raise ValueError("there is no simulated dialogue")
    turns = max(replies(d.messages) for d in [*simulated, *(d for r in reactions for d in (r.people, r.simulated))])
    figures_of = partial(_figures, turns=turns, reward_max=reward_max)
    met = np.array([figures_of(d) for d in simulated])
    rng = stream(seed, "bootstrap")
    # The first row is the estimate, the others are resamples of it.
    figures = _resampled(np.full(len(met), 1 / len(met)), rng) @ met
    led_to = [(d, 1 / len(met)) for d in simulated]
    effects: list[ReplyEffect] = []
    unknown, unseen, unseen_share = 0.0, None, 0.0
    for turn in range(turns):
        come = np.clip(figures[:, [1 + turn]], 0, 1)
        reached = float(come[0, 0])
        if reached == 0:
            break
        here = [r for r in reactions if r.turn == turn]
        if len(here) < MIN_REACTIONS:
            unseen, unseen_share = turn, reached
            break
        asked = [(d.task, said, w) for d, w in led_to if (said := before_reply(d, turn)) is not None]
        values = np.array([figures_of(r.people) - figures_of(r.simulated) for r in here])
        scale = math.hypot(SCALE, float(values[:, 0].mean()))
        places = nearness(
            states([(r.logged.task, r.before) for r in here]), states([(t, said) for t, said, _ in asked])
        )
        found = mean_over(*places, np.array([w for _, _, w in asked]), values[:, 0], scale)
        # Of an opening nothing is hidden: the tasks are the logs' own.
        hidden = HIDDEN if any(said for _, said, _ in asked) else 0.0
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
        figures = figures + come * (_resampled(found.weights, rng) @ values)
        for reaction, weight in zip(here, found.weights, strict=True):
            led_to += [(reaction.people, reached * weight), (reaction.simulated, -reached * weight)]
    mean, sampling = float(np.clip(figures[0, 0], 0, 1)), float(figures[1:, 0].std())
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * math.hypot(sampling, unknown)
    low, high = mean - half, mean + half
    if unseen is not None:
        # Those who come to a turn that the logs do not show may earn anything (Manski's bounds).
        earned = float(np.clip(figures[0, 1 + turns + unseen], 0, unseen_share))
        low, high = low - earned, high + unseen_share - earned
    return Foretold(
        level=LEVEL,
        mean=mean * reward_max,
        low=max(0.0, low) * reward_max,
        high=min(1.0, high) * reward_max,
        reward_max=reward_max,
        effects=effects,
        unseen_from=unseen,
        unseen_share=unseen_share,
    )


def _figures(dialogue: Dialogue, turns: int, reward_max: float) -> Values:
    """[1 + 2 turns] reward as a share of the largest; whether each reply of the user was reached; the reward if it was."""
    reward = dialogue.outcome.reward / reward_max
    reached = (np.arange(turns) < replies(dialogue.messages)).astype(float)
    return np.concatenate([[reward], reached, reward * reached])


def _resampled(weights: Values, rng: np.random.Generator) -> Values:
    """[1 + _RESAMPLES, N] the weights, which sum to 1, and the same by the Bayesian bootstrap (Rubin 1981).

    Each resample's total is brought back to 1 by its first-order term: to divide by it would be unstable, as weights may be
    of either sign.
    """
    drawn = weights * rng.exponential(size=(_RESAMPLES, len(weights)))
    return np.vstack([weights, drawn - weights * (drawn.sum(1, keepdims=True) - 1)])
