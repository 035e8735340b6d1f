"""Context shift computed exactly, for dialogue processes small enough to be written down as tables.

A state is the goal together with the context, or with a class of contexts that the agent, the users and the reward do not tell
apart; an ended dialogue is a state of its own that is never left. Shapes: H turns of the agent, S states, A acts.

    users    who opens how, and what is answered: `Users`
    agent    [H, S, A] probabilities of its acts; states that look the same to it have the same row
    rewards  [H, S, A] expected reward of an act, each in [0, R_max]; one that comes once, at the end, stands in the last turn

Sources: the paper's section 3 (`eps_t`, `delta_t`, Theorem 3.1), with the weights of replies and openings, and the bound for a
reward at the end, added here (docs/method.md, 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]
Reward = Literal["per turn", "terminal"]

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Users:
    """How users open a dialogue, and how they answer.

    Attributes:
        opening: [S] probabilities of the state at turn 0.
        replies: [H - 1, S, A, S] probabilities of the next state, by turn, state and act.

    Raises:
        ValueError: if shapes do not match, or a distribution is negative or does not sum to 1.
    """

    opening: Table
    replies: Table

    def __post_init__(self) -> None:
        states = len(self.opening)
        if self.replies.ndim != 4 or self.replies.shape[1] != states or self.replies.shape[3] != states:
            raise ValueError(f"replies have shape {self.replies.shape}, but must be [H - 1, {states}, A, {states}]")
        _check("opening", self.opening)
        _check("replies", self.replies)

    @property
    def horizon(self) -> int:
        """Turns of the agent, at least 1."""
        return len(self.replies) + 1


def contexts(agent: Table, users: Users) -> Table:
    """`d_t` for every turn: [H, S] distributions of the state before the agent's act.

    Raises:
        ValueError: if the agent's table does not match the users'.
    """
    expected = (users.horizon, len(users.opening), users.replies.shape[2])
    if agent.shape[:2] != expected[:2] or (users.horizon > 1 and agent.shape != expected):
        raise ValueError(f"the agent's table has shape {agent.shape}, but the users' need {expected}")
    _check("agent", agent)
    found = [users.opening]
    for act, reply in zip(agent, users.replies, strict=False):  # the last act is not answered
        found.append(np.einsum("s,sa,sax->x", found[-1], act, reply))
    return np.array(found)


def total_variation(p: Table, q: Table) -> Table:
    """Half the L1 distance over the last axis, in [0, 1]."""
    return np.asarray(0.5 * np.abs(p - q).sum(-1))


def context_shift(d: Table, other: Table) -> Table:
    """`Delta_t`: [H] total variation between two processes' contexts, both as `contexts` gives them."""
    return total_variation(d, other)


def policy_shift(d: Table, agent: Table, other: Table) -> Table:
    """`eps_t`: [H] total variation between two agents' acts, averaged over the contexts `d` of the first process."""
    return np.asarray((d * total_variation(agent, other)).sum(-1))


def user_shift(d: Table, agent: Table, users: Users, other: Users) -> Table:
    """`delta`: [H] total variation between what two kinds of users say before turn t.

    The first is that of the openings, number t that of the replies to the act of turn t - 1 (the paper's `delta_{t-1}`),
    averaged over the first process's own contexts `d` and acts.
    """
    distance = total_variation(users.replies, other.replies)  # [H - 1, S, A]
    replies = (d[:-1, :, None] * agent[:-1] * distance).sum((1, 2))
    return np.concatenate([[total_variation(users.opening, other.opening)], replies])


def value(d: Table, agent: Table, rewards: Table) -> float:
    """`J`: expected sum of rewards of an agent in contexts `d`, which another agent may have led to."""
    return float((d[..., None] * agent * rewards).sum())


def turn_weights(horizon: int, reward: Reward) -> Table:
    """[H] how often a mismatch at turn i can cost: in every reward from there on, or once at the end."""
    return np.arange(horizon, 0, -1.0) if reward == "per turn" else np.ones(horizon)


def reward_bound(eps: Table, delta: Table, reward_max: float, reward: Reward) -> float:
    """Most that `|J(pi; P) - J(pi'; P')|` can be, for rewards in [0, reward_max] (Theorem 3.1; terminal: ours).

    Args:
        eps: [H] as `policy_shift`.
        delta: [H] as `user_shift`; both averaged over the same process.
        reward: paid `per turn` (quadratic in H), or once at the end, `terminal` (linear).
    """
    horizon = len(eps)
    largest = reward_max * (horizon if reward == "per turn" else 1)
    return min(largest, float(reward_max * (turn_weights(horizon, reward) * (eps + delta)).sum()))


@dataclass(frozen=True, slots=True)
class RewardGap:
    """Why the reward seen in training is not the one with real users: `seen - real = sampling + policy + simulator`.

    Attributes:
        seen: mean reward that was observed in training.
        real: expected reward with real users.
        sampling: what the number of dialogues leaves: `seen` less its expectation.
        policy: the contexts of training were another agent's (static context RL; 0 where the agent led to them itself).
        simulator: the users of training were others (0 where they were the real ones).
    """

    seen: float
    real: float
    sampling: float
    policy: float
    simulator: float


def reward_gap(
    agent: Table, writer: Table, training: Users, real: Users, rewards: Table, seen: float | None = None
) -> RewardGap:
    """Split the gap between the reward in training and with real users.

    Args:
        agent: whose acts are rewarded.
        writer: the agent that led to the contexts of training; `agent` itself in interactive RL.
        training: the users of training; the real ones in static context RL.
        seen: mean reward observed in training; its expectation where None.
    """
    expected = value(contexts(writer, training), agent, rewards)
    own = value(contexts(agent, training), agent, rewards)
    with_real = value(contexts(agent, real), agent, rewards)
    seen = expected if seen is None else seen
    return RewardGap(seen, with_real, seen - expected, expected - own, own - with_real)


def _check(name: str, table: Table) -> None:
    if (table < 0).any() or (np.abs(table.sum(-1) - 1) > _TOLERANCE).any():
        raise ValueError(f"{name} must hold distributions over its last axis: at least 0, summing to 1")
