"""Small dialogue processes whose shift is known by formula: the worst case of each bound, and where a bound is loose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.shift.exact import Reward, Table, Users

RIGHT, WRONG = 0, 1
"""Acts; also states: all is right so far, or something went wrong."""


@dataclass(frozen=True, slots=True)
class ProcessPair:
    """Two processes with the same rewards, in [0, 1].

    Attributes:
        agent, users: of the first process, over whose contexts shifts are averaged.
        other_agent, other_users: of the second.
        rewards: [H, S, A].
    """

    agent: Table
    users: Users
    other_agent: Table
    other_users: Users
    rewards: Table


def cliff(horizon: int, eps: float, reward: Reward) -> ProcessPair:
    """An agent that errs with probability `eps` a turn where nothing can be undone: it attains the bound to first order.

    The first agent never errs, and earns 1 per turn (or 1 at the end); after one wrong act nothing is earned.
    """
    replies = np.zeros((horizon - 1, 2, 2, 2))
    replies[:, RIGHT, RIGHT, RIGHT] = replies[:, RIGHT, WRONG, WRONG] = 1
    replies[:, WRONG, :, WRONG] = 1
    users = Users(np.array([1.0, 0.0]), replies)
    return ProcessPair(_errs(horizon, 0.0), users, _errs(horizon, eps), users, _rewards(horizon, reward))


def misunderstanding(horizon: int, delta: float, reward: Reward) -> ProcessPair:
    """Users who misunderstand with probability `delta` a reply, for good; the agent acts the same with both."""

    def users(error: float) -> Users:
        replies = np.zeros((horizon - 1, 2, 2, 2))
        replies[:, RIGHT, :, RIGHT], replies[:, RIGHT, :, WRONG] = 1 - error, error
        replies[:, WRONG, :, WRONG] = 1
        return Users(np.array([1.0, 0.0]), replies)

    agent = _errs(horizon, 0.0)
    return ProcessPair(agent, users(0.0), agent, users(delta), _rewards(horizon, reward))


def recoverable(horizon: int, eps: float, reward: Reward) -> ProcessPair:
    """As `cliff`, but the next right act mends all: errors cost their own turn, and the bound is loose."""
    replies = np.zeros((horizon - 1, 2, 2, 2))
    replies[:, :, RIGHT, RIGHT] = replies[:, :, WRONG, WRONG] = 1
    users = Users(np.array([1.0, 0.0]), replies)
    rewards = _rewards(horizon, reward)
    rewards[:, WRONG, RIGHT] = rewards[:, RIGHT, RIGHT]
    return ProcessPair(_errs(horizon, 0.0), users, _errs(horizon, eps), users, rewards)


def at_one_turn(pair: ProcessPair, turn: int) -> ProcessPair:
    """The same processes without any difference but those of one turn: of the agents' act, and of the users' words before."""
    other_agent, replies = pair.agent.copy(), pair.users.replies.copy()
    other_agent[turn] = pair.other_agent[turn]
    if turn > 0:
        replies[turn - 1] = pair.other_users.replies[turn - 1]
    opening = pair.other_users.opening if turn == 0 else pair.users.opening
    return ProcessPair(pair.agent, pair.users, other_agent, Users(opening, replies), pair.rewards)


def random_pair(
    rng: np.random.Generator,
    horizon: int,
    states: int,
    acts: int,
    *,
    closeness: float = 0.0,
    concentration: float = 1.0,
) -> ProcessPair:
    """Two processes drawn from Dirichlet distributions.

    Args:
        closeness: how much of the first process the second one keeps, in [0, 1]; at 1 they are the same.
        concentration: of the Dirichlet; below 1 draws are peaked.
    """

    def draw(*shape: int) -> Table:
        return rng.dirichlet(np.full(shape[-1], concentration), size=shape[:-1])

    def near(table: Table) -> Table:
        return closeness * table + (1 - closeness) * draw(*table.shape)

    agent, opening = draw(horizon, states, acts), draw(states)
    replies = draw(horizon - 1, states, acts, states)
    users, other_users = Users(opening, replies), Users(near(opening), near(replies))
    return ProcessPair(agent, users, near(agent), other_users, rng.random((horizon, states, acts)))


def _errs(horizon: int, error: float) -> Table:
    agent = np.zeros((horizon, 2, 2))
    agent[..., RIGHT], agent[..., WRONG] = 1 - error, error
    return agent


def _rewards(horizon: int, reward: Reward) -> Table:
    rewards = np.zeros((horizon, 2, 2))
    rewards[:, RIGHT, RIGHT] = 1
    if reward == "terminal":
        rewards[:-1] = 0
    return rewards
