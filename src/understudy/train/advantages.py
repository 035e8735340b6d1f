"""Advantages from groups of rollouts of one task: of whole dialogues, or of each of the agent's messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from understudy.config import Credit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_NO_SPREAD = 1e-8
EXPONENT = 2.0
"""Of the exponential map: the larger, the less it matters how large a message's reward is, if it has any."""


def turn_advantages(
    rewards: Sequence[Sequence[float]],
    groups: Sequence[int],
    *,
    credit: Credit = "equalised",
    discount: float = 1.0,
) -> tuple[list[Floats], Bools]:
    """GRPO's group-relative advantage, (score - group mean) / group standard deviation, for each message of the agent.

    Sources: Shao et al. 2024, DeepSeekMath (arXiv 2402.03300), section 4.1.2, outcome supervision. A group without variance
    carries no signal and is left out (dynamic sampling of DAPO, arXiv 2503.14476, without resampling). How the advantage is
    shared among the messages of a dialogue:

    * `equalised`: all get that of the dialogue, whose score is its discounted sum of rewards. With a discount of 1 that is
      GRPO as it was published.
    * `reward-to-go`: each message its own score, the discounted sum of the rewards from it on, against the mean over those
      dialogues of the group that have a message at this turn (a baseline per turn; Sutton and Barto, section 13.4); divided by
      the standard deviation over the whole group, as late turns have few dialogues. What a message cannot have caused
      does not count for it.
    * `exponential`: as `equalised`, weighed by the message's own reward r: `.5 + .5 (1 - e^(-k x)) / (1 - e^(-k))` with k = 2
      and x = r over the largest reward of a message in `rewards`, so that any reward counts for much; the weights of a dialogue
      are scaled to a mean of 1. In a dialogue below the group's mean, messages that earned are pushed down harder than those
      that did not: it says which messages matter, not which were right.

    The names are UserRL's (Qian et al. 2025, arXiv 2509.19736), which discounts by .8.

    Args:
        rewards: for each dialogue, the finite rewards of the agent's messages, in order; at least one.
        groups: [D] the group of each dialogue.
        discount: in (0, 1], per message of the agent.

    Returns:
        For each dialogue, advantages of its messages (0 where left out); and [D] whether its group has any variance.
    """
    returns = [_returns(np.asarray(r, dtype=float), discount) for r in rewards]
    advantages = [np.zeros(len(r)) for r in returns]
    kept = np.zeros(len(rewards), dtype=bool)
    largest = max((r for of_one in rewards for r in of_one), default=0.0)
    for group in dict.fromkeys(groups):
        inside = [i for i, g in enumerate(groups) if g == group]
        if credit == "reward-to-go":
            above = _above_turn_means([returns[i] for i in inside])
        else:
            scores = np.array([returns[i][0] for i in inside])
            above = [np.full(len(returns[i]), s) for i, s in zip(inside, scores - scores.mean(), strict=True)]
        # Of each dialogue once, or of each of its messages where they differ.
        spread = float(np.std(np.concatenate(above) if credit == "reward-to-go" else [a[0] for a in above]))
        if spread <= _NO_SPREAD:
            continue
        for i, a in zip(inside, above, strict=True):
            advantages[i] = a / spread
            if credit == "exponential" and largest > 0:
                weights = exponential_map(np.clip(np.asarray(rewards[i]) / largest, 0, 1))
                advantages[i] *= weights / weights.mean()
            kept[i] = True
    return advantages, kept


def exponential_map(share: Floats) -> Floats:
    """[0, 1] -> [.5, 1], steep at first (UserRL, arXiv 2509.19736)."""
    mapped: Floats = 0.5 + 0.5 * np.expm1(-EXPONENT * share) / np.expm1(-EXPONENT)
    return mapped


def _returns(rewards: Floats, discount: float) -> Floats:
    """[T] the discounted sum of the rewards from each message on."""
    found = np.zeros(len(rewards))
    ahead = 0.0
    for t in range(len(rewards) - 1, -1, -1):
        ahead = rewards[t] + discount * ahead
        found[t] = ahead
    return found


def _above_turn_means(returns: Sequence[Floats]) -> list[Floats]:
    """Each return less the mean, over the dialogues that have a message at its turn, of theirs."""
    longest = max(len(r) for r in returns)
    means = [np.mean([r[t] for r in returns if len(r) > t]) for t in range(longest)]
    return [r - np.array(means[: len(r)]) for r in returns]
