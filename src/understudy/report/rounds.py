"""The calibrated arm trained on in rounds, with its user aligned again and with the same user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from understudy.report.estimate import Estimate, from_interval, of_intervals, of_scores, over_seeds
from understudy.report.read import CellData
from understudy.results import ArmResult
from understudy.shift.two_sample import TwoSample
from understudy.stats import paired_difference


@dataclass(frozen=True)
class RoundRow:
    """An agent after some rounds, over the seeds that have it.

    Attributes:
        rounds: 0 is the calibrated arm itself.
        realigned: whether its user was aligned again before each round; false for the control.
        steps: of RL in all, from the base.
        real_dialogues: behind it in all; a mean over seeds.
        in_training: reward over the last steps of the round (T=1).
        rewards: with the judging users, by decoding (`T=1`, `tuned`).
        walked_out: share of dialogues at tuned decoding; a mean over seeds.
        told_apart: AUC of its contexts in training against those with the judging users, at the turn where it is highest on
            average; None where it was not measured.
        beyond_control: reward at tuned decoding less the control's after as many rounds, paired over seeds; None for the
            control and the arm itself.
    """

    rounds: int
    realigned: bool
    steps: int
    real_dialogues: float
    in_training: Estimate | None
    rewards: Mapping[str, Estimate]
    walked_out: float
    told_apart: Estimate | None
    beyond_control: Estimate | None

    @property
    def words(self) -> str:
        if not self.rounds:
            return "calibrated"
        return f"round {self.rounds}, {'re-aligned' if self.realigned else 'same user'}"


def round_rows(cells: Sequence[CellData]) -> tuple[RoundRow, ...]:
    """By round, the control before the re-aligned; the arm itself, in the same seeds, comes first. Empty without rounds."""
    found: dict[tuple[int, bool], dict[int, ArmResult]] = {}
    for cell in cells:
        for r in cell.sweeps:
            if r.further is not None:
                found.setdefault((r.further.rounds, r.further.realigned), {})[cell.seed] = r
        if cell.gone_on_with is not None:
            found.setdefault((0, False), {})[cell.seed] = cell.gone_on_with
    return tuple(
        _row(rounds, realigned, results, found.get((rounds, False), {}) if realigned else {}, _contexts(cells, results))
        for (rounds, realigned), results in sorted(found.items())
    )


def _contexts(cells: Sequence[CellData], results: Mapping[int, ArmResult]) -> list[list[TwoSample]]:
    """Of each seed; the arm's own are with those of all arms."""
    of_arm = {cell.seed: cell.shift.curves.get("calibrated", []) for cell in cells if cell.shift is not None}
    return [r.further.contexts if r.further is not None else of_arm.get(seed, []) for seed, r in results.items()]


def _row(
    rounds: int,
    realigned: bool,
    by_seed: Mapping[int, ArmResult],
    control: Mapping[int, ArmResult],
    contexts: Sequence[Sequence[TwoSample]],
) -> RoundRow:
    results = list(by_seed.values())
    rewards = {name: of_scores([r.decoding[name] for r in results if name in r.decoding]) for name in ("T=1", "tuned")}
    seeds = [seed for seed in by_seed if seed in control]
    mine, other = ([side[seed].decoding["tuned"].reward for seed in seeds] for side in (by_seed, control))
    return RoundRow(
        rounds=rounds,
        realigned=realigned,
        steps=max(r.cost.optimizer_steps for r in results),
        real_dialogues=sum(r.cost.real_dialogues for r in results) / len(results),
        in_training=over_seeds([r.training_reward for r in results if r.training_reward is not None]),
        rewards={name: estimate for name, estimate in rewards.items() if estimate is not None},
        walked_out=sum(r.decoding["tuned"].walked_out_share for r in results) / len(results),
        told_apart=_highest(contexts),
        beyond_control=from_interval(paired_difference(mine, other)) if seeds else None,
    )


def _highest(contexts: Sequence[Sequence[TwoSample]]) -> Estimate | None:
    """At the turns that every seed has."""
    seeds = [{point.turn: (point.auc, point.low, point.high) for point in curve} for curve in contexts]
    turns = set.intersection(*map(set, seeds)) if seeds else set()
    by_turn = [of_intervals([points[turn] for points in seeds]) for turn in turns]
    return max(by_turn, key=lambda estimate: estimate.mean, default=None)
