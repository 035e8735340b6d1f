"""What stands beside the main table: coherence, style and perplexity of users, agent x user, learning curves, sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from understudy.report.by_turn import reply_shifts
from understudy.report.estimate import Estimate, of_intervals, of_scores, over_seeds
from understudy.report.read import CellData
from understudy.results import ArmResult, Score
from understudy.stats import binomial_interval, late_rise


@dataclass(frozen=True)
class CoherenceCell:
    """Contradictions of one kind by one user, counted over the seeds, with Wilson's interval."""

    violations: int
    occasions: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class UsersTable:
    """Users side by side.

    `coherence[kind][user]`, `style[figure][user]`, `perplexity[model]` (per token, bits per character, tokens) and
    `reply_shift[user][turn]`.
    """

    users: tuple[str, ...]
    coherence: Mapping[str, Mapping[str, CoherenceCell]]
    style: Mapping[str, Mapping[str, Estimate]]
    perplexity: Mapping[str, tuple[Estimate | None, Estimate | None, int]]
    reply_shift: Mapping[str, Mapping[int, Estimate]]


def users_table(cells: Sequence[CellData]) -> UsersTable | None:
    """All seeds' users together; None if no seed has them."""
    results = [cell.users for cell in cells if cell.users is not None]
    if not results:
        return None
    users = tuple(dict.fromkeys(user for r in results for user in r.coherence))
    counts: dict[str, dict[str, list[int]]] = {}
    style: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for r in results:
        for user, rows in r.coherence.items():
            for row in rows:
                found = counts.setdefault(row.kind, {}).setdefault(user, [0, 0])
                found[0] += row.violations
                found[1] += row.occasions
        for user, figures in r.style.items():
            for name, f in figures.items():
                style.setdefault(name, {}).setdefault(user, []).append((f.mean, f.low, f.high))
    models = tuple(dict.fromkeys(model for r in results for model in r.perplexity))
    return UsersTable(
        users,
        {kind: {user: _coherence(*count) for user, count in row.items()} for kind, row in counts.items()},
        {name: {user: of_intervals(figures) for user, figures in row.items()} for name, row in style.items()},
        {
            model: (
                over_seeds([r.perplexity[model].per_token for r in results if model in r.perplexity]),
                over_seeds([r.perplexity[model].bits_per_character for r in results if model in r.perplexity]),
                sum(r.perplexity[model].tokens for r in results if model in r.perplexity),
            )
            for model in models
        },
        reply_shifts(cells),
    )


def _coherence(violations: int, occasions: int) -> CoherenceCell:
    interval = binomial_interval(violations, occasions)
    return CoherenceCell(violations, occasions, interval.mean, interval.low, interval.high)


def people_heard(cells: Sequence[CellData]) -> Estimate | None:
    """Perplexity of held-out people to the referee; None where no referee judged."""
    found = [cell.users.people_heard for cell in cells if cell.users is not None and cell.users.people_heard]
    return of_intervals([(f.mean, f.low, f.high) for f in found]) if found else None


def agent_user_table(cells: Sequence[CellData], arms: Sequence[str]) -> dict[str, dict[str, Estimate]]:
    """`table[arm][user]`: reward at tuned decoding."""
    scores: dict[str, dict[str, list[Score]]] = {}
    for arm in arms:
        for cell in cells:
            for user, score in (cell.arms[arm].agent_x_user if arm in cell.arms else {}).items():
                scores.setdefault(arm, {}).setdefault(user, []).append(score)
    return {
        arm: {user: e for user, found in row.items() if (e := of_scores(found)) is not None}
        for arm, row in scores.items()
    }


def learning_curves(cells: Sequence[CellData]) -> dict[str, list[list[float]]]:
    """Reward by step, one list per seed, by arm."""
    curves: dict[str, list[list[float]]] = {}
    for cell in cells:
        for arm, rows in cell.metrics.items():
            curves.setdefault(arm, []).append([float(row["reward"]) for row in rows])
    return curves


def late_rises(curves: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, Estimate]:
    """By arm, how much the mean learning curve over the seeds rose over its last third; arms with short ones are left out.

    Says whether the oracle, the reference of all shares, had converged.
    """
    rises: dict[str, Estimate] = {}
    for arm, seeds in curves.items():
        steps = min(len(curve) for curve in seeds)
        mean = np.mean([curve[:steps] for curve in seeds], axis=0)
        if steps >= 9 and np.isfinite(mean).all():
            found = late_rise(mean)
            rises[arm] = Estimate(found.mean, found.low, found.high, found.n, "steps")
    return rises


Points = list[tuple[float, Estimate | None, Estimate | None]]


def severity_points(cells: Sequence[CellData]) -> Points:
    """(severity, in training, judged) at T=1, the same seeds' interactive arm at severity 1; empty without a sweep."""
    found: dict[float, list[ArmResult]] = {}
    for cell in cells:
        sweep = [r for r in cell.sweeps if r.severity is not None]
        whole = [cell.arms["interactive"]] if sweep and "interactive" in cell.arms else []
        for r in (*sweep, *whole):
            found.setdefault(1.0 if r.severity is None else r.severity, []).append(r)
    return _points(found)


def log_size_points(cells: Sequence[CellData]) -> Points:
    """(dialogues that the user was aligned on, in training, judged) at T=1; empty without a sweep.

    The calibrated arm of the same seeds, aligned on all logs, comes last.
    """
    found: dict[float, list[ArmResult]] = {}
    for cell in cells:
        sweep = [r for r in cell.sweeps if r.log_size is not None]
        for r in sweep:
            found.setdefault(float(r.log_size or 0), []).append(r)
        whole = cell.arms.get("calibrated")
        if sweep and whole is not None:
            # What the whole-log arm used beyond a sweep's arm of the same seed is the difference of their log sizes.
            used = whole.cost.real_dialogues - sweep[0].cost.real_dialogues
            found.setdefault(float((sweep[0].log_size or 0) + used), []).append(whole)
    return _points(found)


def _points(found: Mapping[float, Sequence[ArmResult]]) -> Points:
    points: Points = []
    for place, results in sorted(found.items()):
        promised = over_seeds([r.training_reward for r in results if r.training_reward is not None])
        points.append((place, promised, of_scores([r.decoding["T=1"] for r in results if "T=1" in r.decoding])))
    return points
