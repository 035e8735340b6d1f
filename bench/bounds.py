"""The theorem on tables: how the worst-case gap and its bound grow with the turns, and how loose the bound is elsewhere.

    python bench/bounds.py [--cases 10000] [--seed 0]

Everything is computed exactly; only the random processes depend on the seed. Seconds on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from understudy.shift.exact import (
    Reward,
    context_shift,
    contexts,
    policy_shift,
    reward_bound,
    turn_weights,
    user_shift,
    value,
)
from understudy.shift.families import ProcessPair, at_one_turn, cliff, misunderstanding, random_pair, recoverable

HORIZONS = (2, 4, 8, 16, 32)
ERROR = 1e-3
REWARDS: tuple[Reward, ...] = ("per turn", "terminal")


def gap_and_bound(c: ProcessPair, reward: Reward) -> tuple[float, float, bool]:
    """The gap in reward, its bound, and whether the shift of contexts grew by no more than its own bound at each turn."""
    rewards = c.rewards.copy()
    if reward == "terminal":
        rewards[:-1] = 0
    d, other = contexts(c.agent, c.users), contexts(c.other_agent, c.other_users)
    eps, delta = policy_shift(d, c.agent, c.other_agent), user_shift(d, c.agent, c.users, c.other_users)
    shift = context_shift(d, other)
    grows = bool((shift[1:] <= shift[:-1] + eps[:-1] + delta[1:] + 1e-12).all())
    gap = abs(value(d, c.agent, rewards) - value(other, c.other_agent, rewards))
    return gap, reward_bound(eps, delta, 1.0, reward), grows


def slope(values: list[float]) -> float:
    return float(np.polyfit(np.log(HORIZONS), np.log(values), 1)[0])


def early_mismatches(seed: int, horizon: int = 8, size: float = 0.1) -> None:
    """A mismatch at one turn alone: the gap it leaves for each unit of total variation, beside its weight in the bound."""
    print(f"one mismatch at turn 0, 1, ..: gap / its total variation, per turn, H={horizon}")
    print(f"    weight in the bound: {' '.join(f'{w:6.0f}' for w in turn_weights(horizon, 'per turn'))}")
    for family in (cliff, misunderstanding, recoverable):
        whole = family(horizon, size, "per turn")
        print(
            f"    {family.__name__:19}: {' '.join(f'{_per_unit(at_one_turn(whole, t), t):6.2f}' for t in range(horizon))}"
        )
    rng = np.random.default_rng(seed)
    pairs = [random_pair(rng, horizon, 8, 4, closeness=0.9) for _ in range(200)]
    means = [np.mean([_per_unit(at_one_turn(pair, t), t) for pair in pairs]) for t in range(horizon)]
    print(f"    {'random, mean of 200':19}: {' '.join(f'{m:6.2f}' for m in means)}")


def _per_unit(c: ProcessPair, turn: int) -> float:
    d = contexts(c.agent, c.users)
    size = policy_shift(d, c.agent, c.other_agent)[turn] + user_shift(d, c.agent, c.users, c.other_users)[turn]
    gap, _, _ = gap_and_bound(c, "per turn")
    return float(gap / size) if size else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    families: tuple[Callable[[int, float, Reward], ProcessPair], ...] = (cliff, misunderstanding, recoverable)
    print(f"exponent in H over {HORIZONS}, error {ERROR} a turn")
    for family in families:
        for reward in REWARDS:
            gaps, bounds, _ = zip(*(gap_and_bound(family(h, ERROR, reward), reward) for h in HORIZONS), strict=True)
            print(
                f"    {family.__name__}, {reward}: gap {slope(list(gaps)):.3f}, bound {slope(list(bounds)):.3f}; "
                f"gap / bound {gaps[0] / bounds[0]:.3f} at H={HORIZONS[0]}, {gaps[-1] / bounds[-1]:.3f} at H={HORIZONS[-1]}"
            )
    early_mismatches(given.seed)
    rng = np.random.default_rng(given.seed)
    print("random processes (8 states, 4 acts, nine tenths alike): mean gap / bound, per turn")
    for h in HORIZONS:
        found = [gap_and_bound(random_pair(rng, h, 8, 4, closeness=0.9), "per turn") for _ in range(200)]
        print(f"    H={h}: {np.mean([gap / bound for gap, bound, _ in found]):.4f}")
    violations = 0
    for _ in range(given.cases):
        horizon, states, acts = (int(rng.integers(1, n)) for n in (9, 7, 6))
        peaked = float(rng.choice([0.05, 1.0, 20.0]))
        c = random_pair(rng, horizon, states, acts, closeness=rng.random(), concentration=peaked)
        for reward in REWARDS:
            gap, bound, grows = gap_and_bound(c, reward)
            violations += gap > bound + 1e-12 or not grows
    print(f"{violations} violations in {given.cases} random cases, each with both kinds of reward")


if __name__ == "__main__":
    main()
