"""The theorem's quantities on processes worked out by hand, and its inequalities on many random ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.shift.exact import (
    Reward,
    Users,
    context_shift,
    contexts,
    policy_shift,
    reward_bound,
    reward_gap,
    turn_weights,
    user_shift,
    value,
)
from understudy.shift.families import ProcessPair, at_one_turn, cliff, misunderstanding, random_pair, recoverable

REWARDS: tuple[Reward, ...] = ("per turn", "terminal")
HORIZONS = np.array([2, 4, 8, 16, 32])


def gap_and_bound(c: ProcessPair, reward: Reward) -> tuple[float, float]:
    d = contexts(c.agent, c.users)
    gap = value(d, c.agent, c.rewards) - value(contexts(c.other_agent, c.other_users), c.other_agent, c.rewards)
    eps, delta = policy_shift(d, c.agent, c.other_agent), user_shift(d, c.agent, c.users, c.other_users)
    return abs(gap), reward_bound(eps, delta, 1.0, reward)


def slope(values: list[float]) -> float:
    """Exponent of a power law in H, by least squares in logarithms."""
    return float(np.polyfit(np.log(HORIZONS), np.log(values), 1)[0])


def test_two_turns_by_hand() -> None:
    # Two states, two acts. From state 0, act 0 stays with .75, act 1 with .25; state 1 is never left.
    replies = np.zeros((1, 2, 2, 2))
    replies[0, 0] = [[0.75, 0.25], [0.25, 0.75]]
    replies[0, 1, :, 1] = 1
    users = Users(np.array([0.5, 0.5]), replies)
    others = Users(np.array([0.75, 0.25]), np.where(replies == 0.25, 0.5, np.where(replies == 0.75, 0.5, replies)))
    agent = np.array([[[1.0, 0.0], [0.5, 0.5]]] * 2)
    other = np.array([[[0.5, 0.5], [0.5, 0.5]]] * 2)
    d = contexts(agent, users)
    np.testing.assert_allclose(d, [[0.5, 0.5], [0.375, 0.625]])
    np.testing.assert_allclose(policy_shift(d, agent, other), [0.25, 0.1875])
    # The opening differs by .25; act 0 in state 0 is answered otherwise by .25, and that happens half the time.
    np.testing.assert_allclose(user_shift(d, agent, users, others), [0.25, 0.125])
    np.testing.assert_allclose(context_shift(d, contexts(agent, others)), [0.25, 0.0])
    rewards = np.zeros((2, 2, 2))
    rewards[1, 0, 0] = 1
    assert value(d, agent, rewards) == pytest.approx(0.375)
    assert value(d, other, rewards) == pytest.approx(0.1875)
    eps, delta = np.array([0.25, 0.125]), np.array([0.25, 0.0])
    assert reward_bound(eps, delta, 2.0, "terminal") == pytest.approx(2 * 0.625)
    assert reward_bound(eps, delta, 2.0, "per turn") == pytest.approx(2 * (2 * 0.5 + 0.125))
    assert reward_bound(4 * eps, delta, 2.0, "terminal") == 2.0


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 7),
    st.integers(1, 5),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    st.sampled_from([0.05, 1.0, 20.0]),
)
def test_the_inequalities_hold(
    seed: int, horizon: int, states: int, acts: int, closeness: float, concentration: float
) -> None:
    c = random_pair(
        np.random.default_rng(seed), horizon, states, acts, closeness=closeness, concentration=concentration
    )
    d = contexts(c.agent, c.users)
    np.testing.assert_allclose(d.sum(-1), 1)
    shift = context_shift(d, contexts(c.other_agent, c.other_users))
    eps, delta = policy_shift(d, c.agent, c.other_agent), user_shift(d, c.agent, c.users, c.other_users)
    assert shift[0] == pytest.approx(delta[0])
    assert (shift[1:] <= shift[:-1] + eps[:-1] + delta[1:] + 1e-12).all()
    if closeness == 1:
        assert max(eps.max(), delta.max(), shift.max()) < 1e-12
    for reward in REWARDS:
        rewards = c.rewards.copy()
        if reward == "terminal":
            rewards[:-1] = 0
        gap, bound = gap_and_bound(ProcessPair(c.agent, c.users, c.other_agent, c.other_users, rewards), reward)
        assert gap <= bound + 1e-12
        parts = reward_gap(c.agent, c.other_agent, c.users, c.other_users, rewards, seen=0.3)
        assert parts.seen - parts.real == pytest.approx(parts.sampling + parts.policy + parts.simulator)
        assert abs(parts.policy) <= reward_bound(eps, np.zeros_like(eps), 1.0, reward) + 1e-12
        assert abs(parts.simulator) <= reward_bound(np.zeros_like(eps), delta, 1.0, reward) + 1e-12


@pytest.mark.parametrize("family", [cliff, misunderstanding])
@pytest.mark.parametrize("reward", REWARDS)
def test_the_worst_case_attains_the_bound(family: object, reward: Reward) -> None:
    found = [gap_and_bound(family(int(h), 1e-5, reward), reward) for h in HORIZONS]  # type: ignore[operator]
    gaps, bounds = [g for g, _ in found], [b for _, b in found]
    np.testing.assert_allclose(gaps, bounds, rtol=1e-3)
    assert slope(gaps) == pytest.approx(slope(bounds), abs=0.02)
    expected = {("cliff", "per turn"): 1.868, ("misunderstanding", "per turn"): 2.22, ("cliff", "terminal"): 1.0}
    if (family.__name__, reward) in expected:  # type: ignore[attr-defined]
        assert slope(bounds) == pytest.approx(expected[family.__name__, reward], abs=0.01)  # type: ignore[attr-defined]


def test_where_errors_are_mended_the_bound_is_loose() -> None:
    found = [gap_and_bound(recoverable(int(h), 1e-3, "per turn"), "per turn") for h in HORIZONS]
    assert slope([gap for gap, _ in found]) == pytest.approx(1.0, abs=0.01)
    ratios = [gap / bound for gap, bound in found]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 0.1


def test_static_and_interactive_training_have_one_part_each() -> None:
    c = random_pair(np.random.default_rng(0), 4, 3, 2)
    static = reward_gap(c.agent, c.other_agent, c.users, c.users, c.rewards)
    assert (static.sampling, static.simulator) == (0, 0)
    assert abs(static.policy) > 1e-3
    interactive = reward_gap(c.agent, c.agent, c.other_users, c.users, c.rewards)
    assert (interactive.sampling, interactive.policy) == (0, 0)
    assert abs(interactive.simulator) > 1e-3


def test_weights() -> None:
    assert turn_weights(3, "per turn").tolist() == [3, 2, 1]
    assert turn_weights(3, "terminal").tolist() == [1, 1, 1]


def test_tables_that_are_none_are_errors() -> None:
    with pytest.raises(ValueError, match="summing to 1"):
        Users(np.array([0.5, 0.4]), np.full((1, 2, 2, 2), 0.5))
    with pytest.raises(ValueError, match="must be"):
        Users(np.array([0.5, 0.5]), np.full((1, 3, 2, 2), 0.5))
    users = Users(np.array([0.5, 0.5]), np.full((1, 2, 2, 2), 0.5))
    with pytest.raises(ValueError, match="shape"):
        contexts(np.full((3, 2, 2), 0.5), users)
    with pytest.raises(ValueError, match="agent"):
        contexts(np.full((2, 2, 2), 0.6), users)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_a_mismatch_at_one_turn_alone_costs_its_weight_where_it_lasts(horizon: int) -> None:
    for turn in range(horizon):
        gap, bound = gap_and_bound(at_one_turn(cliff(horizon, 0.1, "per turn"), turn), "per turn")
        assert gap == pytest.approx(0.1 * (horizon - turn)) == pytest.approx(bound)
        mended, weighed = gap_and_bound(at_one_turn(recoverable(horizon, 0.1, "per turn"), turn), "per turn")
        assert mended == pytest.approx(0.1)
        assert weighed == pytest.approx(0.1 * (horizon - turn))
        later, its_bound = gap_and_bound(at_one_turn(misunderstanding(horizon, 0.1, "per turn"), turn), "per turn")
        # What is misunderstood is the reply to the turn before; users of this process open alike.
        assert later == pytest.approx(0.1 * (horizon - turn) if turn else 0.0)
        assert its_bound == pytest.approx(later)
