"""The numbers of a run: every arm over seeds, shares of the oracle's gain, paired differences. No pictures, no words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.report.collect import CellFiles, RunFiles, collect
from understudy.report.headline import headline
from understudy.results import ArmResult, Score
from understudy.stats import Interval, paired_difference, recovered, t_interval

DECODINGS = ("T=1", "tuned", "greedy")
PAIRS = (("calibrated", "static"), ("calibrated", "interactive"), ("calibrated", "base"), ("interactive", "base"))
"""Compared by paired differences over seeds, at tuned decoding."""


@dataclass(frozen=True)
class ArmSummary:
    """One arm of one family; means over seeds with 95% t-intervals (one seed: bootstrap over its dialogues).

    Attributes:
        decoding: reward with the judge by `T=1`, `tuned`, `greedy`.
        tuned_temperatures: one per seed; 0 is greedy.
        training_user: whom the policy met in training; None where it met nobody.
        training_reward: over the last steps of training (sampled at T=1); None for arms that are not trained by RL.
        with_training_user: the final agent with that user at T=1.
        recovered: share of the oracle's gain over the base at tuned decoding; nan where the oracle gained nothing
            significant; None without base or oracle, and for these two.
        walked_out: share of tuned dialogues that the user left.
        turns: agent messages per tuned dialogue.
        real_dialogues: mean over seeds.
        cpu_seconds: mean over seeds.
        failed: tuned dialogues left out, over all seeds.
    """

    arm: str
    seeds: tuple[int, ...]
    decoding: dict[str, Interval]
    tuned_temperatures: tuple[float, ...]
    training_user: str | None
    training_reward: Interval | None
    with_training_user: Interval | None
    recovered: Interval | None
    walked_out: Interval
    turns: Interval
    real_dialogues: float
    cpu_seconds: float
    failed: int


@dataclass(frozen=True)
class Difference:
    """`first - second` at tuned decoding, paired over the seeds that both finished; one seed has no interval."""

    first: str
    second: str
    interval: Interval


@dataclass(frozen=True)
class FamilySummary:
    """One task family.

    Attributes:
        judge_label: who judged: real users, or a referee that stands for them.
        reward_max: rewards lie in [0, reward_max].
        seeds: those with any judged arm.
        missing: one line for each thing that was planned and is not finished.
    """

    family: str
    judge_label: str
    reward_name: str
    reward_max: float
    seeds: tuple[int, ...]
    arms: dict[str, ArmSummary]
    differences: tuple[Difference, ...]
    missing: tuple[str, ...]

    @property
    def digits(self) -> int:
        """Decimals that rewards of this family are shown with."""
        return 1 if self.reward_max > 1 else 3


@dataclass(frozen=True)
class Summary:
    """A run in numbers.

    Attributes:
        headline: what came out, in words made from the numbers.
        label: a warning that the figures are only illustrative; None for a run with several seeds.
        families: those with any judged arm.
        missing: by family, also of families without any judged arm.
    """

    run: Path
    headline: str
    label: str | None
    planned_families: tuple[str, ...]
    planned_seeds: tuple[int, ...]
    planned_arms: tuple[str, ...]
    families: tuple[FamilySummary, ...]
    missing: dict[str, tuple[str, ...]]


def summarise(run: Path) -> Summary:
    """Read a run folder, finished or not.

    Raises:
        RunError: if this is no run folder, a result is damaged, or nothing is finished yet.
    """
    return summary_of(collect(Path(run)))


def summary_of(files: RunFiles) -> Summary:
    """As `summarise`, of a run that was read already."""
    families = tuple(
        _family(family, cells, files.missing(family))
        for family in files.families
        if (cells := [cell for cell in files.of(family) if cell.arms])
    )
    return Summary(
        run=files.path,
        headline=headline(families),
        label=_label(files),
        planned_families=files.families,
        planned_seeds=files.seeds,
        planned_arms=files.arms,
        families=families,
        missing={family: tuple(files.missing(family)) for family in files.families},
    )


def over_seeds(values: Sequence[float]) -> Interval | None:
    """t-interval of the finite values; None where there is none."""
    finite = [value for value in values if math.isfinite(value)]
    return t_interval(finite) if finite else None


def score_interval(scores: Sequence[Score]) -> Interval:
    """Mean reward over seeds with its t-interval; of one seed the bootstrap interval over its dialogues."""
    if len(scores) == 1:
        return Interval(scores[0].reward, scores[0].low, scores[0].high, scores[0].n)
    return over_seeds([score.reward for score in scores]) or _NOTHING


_NOTHING = Interval(math.nan, math.nan, math.nan, 0)


def _label(files: RunFiles) -> str | None:
    if len(files.seeds) > 1:
        return None
    steps = (files.manifest["config"].get("rl") or {}).get("steps")
    return "Illustrative: one seed" + (f", few steps ({steps} per arm)" if steps is not None and steps < 100 else "")


def _family(family: str, cells: list[CellFiles], missing: list[str]) -> FamilySummary:
    results: dict[str, dict[int, ArmResult]] = {}
    for cell in cells:
        for arm, result in cell.arms.items():
            results.setdefault(arm, {})[cell.seed] = result
    some = next(iter(cells[0].arms.values()))
    order = list(dict.fromkeys(arm for cell in cells for arm in cell.arms))
    return FamilySummary(
        family=family,
        judge_label=some.judge_label,
        reward_name=some.reward_name,
        reward_max=some.reward_max,
        seeds=tuple(cell.seed for cell in cells),
        arms={arm: _arm(arm, results) for arm in sorted(order, key=_ORDER.index)},
        differences=tuple(_differences(results)),
        missing=tuple(missing),
    )


_ORDER = ("base", "control", "static", "interactive", "calibrated", "oracle")


def _arm(arm: str, by_arm: dict[str, dict[int, ArmResult]]) -> ArmSummary:
    results = list(by_arm[arm].values())
    tuned = [result.decoding["tuned"] for result in results]
    return ArmSummary(
        arm=arm,
        seeds=tuple(by_arm[arm]),
        decoding={
            name: score_interval([r.decoding[name] for r in results if name in r.decoding]) for name in DECODINGS
        },
        tuned_temperatures=tuple(result.tuned_temperature for result in results),
        training_user=results[0].training_user,
        training_reward=_mean(results, lambda r: r.training_reward),
        with_training_user=_mean(
            results, lambda r: r.reward_with_training_user.reward if r.reward_with_training_user else None
        ),
        recovered=_recovered(arm, by_arm),
        walked_out=t_interval([score.walked_out_share for score in tuned]),
        turns=t_interval([score.turns for score in tuned]),
        real_dialogues=sum(result.cost.real_dialogues for result in results) / len(results),
        cpu_seconds=sum(result.cost.cpu_seconds for result in results) / len(results),
        failed=sum(score.failed for score in tuned),
    )


def _mean(results: Sequence[ArmResult], of: Callable[[ArmResult], float | None]) -> Interval | None:
    return over_seeds([value for result in results if (value := of(result)) is not None])


def _recovered(arm: str, by_arm: dict[str, dict[int, ArmResult]]) -> Interval | None:
    if arm in ("base", "oracle") or "base" not in by_arm or "oracle" not in by_arm:
        return None
    arms = (arm, "base", "oracle")
    seeds = sorted(set.intersection(*(set(by_arm[name]) for name in arms)))
    if not seeds:
        return None
    values = [[by_arm[name][seed].decoding["tuned"].reward for seed in seeds] for name in arms]
    return recovered(*values).interval


def _differences(by_arm: dict[str, dict[int, ArmResult]]) -> list[Difference]:
    found = []
    for first, second in PAIRS:
        seeds = sorted(set(by_arm.get(first, {})) & set(by_arm.get(second, {})))
        if seeds:
            a, b = ([by_arm[arm][seed].decoding["tuned"].reward for seed in seeds] for arm in (first, second))
            found.append(Difference(first, second, paired_difference(a, b)))
    return found
