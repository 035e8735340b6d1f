"""What is measured turn by turn over the seeds: shift of contexts, where it comes from, how far replies are from people's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from understudy.report.estimate import Estimate, of_intervals
from understudy.report.read import CellData
from understudy.shift.likelihood import TurnShift
from understudy.shift.two_sample import TwoSample


def shift_curves(cells: Sequence[CellData]) -> dict[str, dict[int, Estimate]]:
    """AUC by turn and arm, at the turns that every measured seed of the arm has; `null` last."""
    return dict(sorted(_curves(cells, "curves").items(), key=lambda item: item[0] == "null"))


@dataclass(frozen=True)
class LastTurn:
    """AUC of an arm's training contexts against those with the judging users, each seed at the last turn measured in it.

    Attributes:
        last: over the seeds.
        by_seed: of each.
        highest: over the seeds, each at the turn where it is highest.
    """

    last: Estimate
    by_seed: tuple[float, ...]
    highest: Estimate


def last_turn_shifts(cells: Sequence[CellData]) -> dict[str, LastTurn]:
    """By arm, `null` last."""
    measured = [cell.shift.curves for cell in cells if cell.shift is not None]
    arms = sorted(dict.fromkeys(arm for curves in measured for arm in curves), key=lambda arm: arm == "null")
    return {arm: _last_turn([curves[arm] for curves in measured if curves.get(arm)]) for arm in arms}


def _last_turn(seeds: Sequence[Sequence[TwoSample]]) -> LastTurn:
    ends = [max(curve, key=lambda point: point.turn) for curve in seeds]
    peaks = [max(curve, key=lambda point: point.auc) for curve in seeds]
    last, highest = (of_intervals([(p.auc, p.low, p.high) for p in points]) for points in (ends, peaks))
    return LastTurn(last, tuple(point.auc for point in ends), highest)


@dataclass(frozen=True)
class TurnTest:
    """One two-sample test at one turn, over the seeds.

    Attributes:
        tv_low: mean over the seeds of the lower bounds of the total variation.
        shown_in: seeds whose bound is above 0.
        seeds: that were measured at this turn.
    """

    auc: Estimate
    tv_low: float
    shown_in: int
    seeds: int


@dataclass(frozen=True)
class ShiftSources:
    """What an arm's policy and what the aligned user lead to, by turn."""

    policy: Mapping[int, TurnTest]
    simulator: Mapping[int, TurnTest]


def shift_sources(cells: Sequence[CellData]) -> dict[str, ShiftSources]:
    """By arm; empty for results of earlier versions."""
    policy, simulator = _tests(cells, "policy"), _tests(cells, "simulator")
    return {arm: ShiftSources(policy.get(arm, {}), simulator.get(arm, {})) for arm in {**policy, **simulator}}


def detectable_shift(cells: Sequence[CellData]) -> tuple[float, float] | None:
    """Least and largest total variation that the tests of `shift_sources` would have shown, over turns and seeds; None for
    results of earlier versions, whose bounds hold for each turn by itself."""
    measured = [
        point.detectable
        for cell in cells
        if cell.shift is not None
        for curves in (cell.shift.policy, cell.shift.simulator)
        for curve in curves.values()
        for point in curve
        if point.detectable is not None
    ]
    return (min(measured), max(measured)) if measured else None


def from_base(cells: Sequence[CellData]) -> dict[str, dict[str, dict[int, Estimate]]]:
    """By unit (`messages`, `tokens`), arm and turn, total variation from the base among the dialogues that get there."""
    units = dict.fromkeys(unit for cell in cells for result in cell.arms.values() for unit in result.from_base)
    return {
        unit: _by_turn(
            [
                {
                    arm: {p.turn: _among_alive(p) for p in result.from_base[unit]}
                    for arm, result in cell.arms.items()
                    if result.from_base.get(unit)
                }
                for cell in cells
            ]
        )
        for unit in units
    }


def _tests(cells: Sequence[CellData], part: str) -> dict[str, dict[int, TurnTest]]:
    """At the turns that every measured seed of the arm has."""
    bounds: dict[tuple[str, int], list[float]] = {}
    for cell in cells:
        curves = getattr(cell.shift, part) if cell.shift is not None else {}
        for arm, curve in curves.items():
            for point in curve:
                bounds.setdefault((arm, point.turn), []).append(point.tv_low)
    return {
        arm: {turn: _turn_test(auc, bounds[arm, turn]) for turn, auc in curve.items()}
        for arm, curve in _curves(cells, part).items()
    }


def _turn_test(auc: Estimate, bounds: Sequence[float]) -> TurnTest:
    return TurnTest(auc, float(np.mean(bounds)), sum(low > 0 for low in bounds), len(bounds))


def _curves(cells: Sequence[CellData], part: str) -> dict[str, dict[int, Estimate]]:
    measured = [getattr(cell.shift, part) for cell in cells if cell.shift is not None]
    return _by_turn(
        [{arm: {p.turn: (p.auc, p.low, p.high) for p in c} for arm, c in curves.items()} for curves in measured]
    )


def reply_shifts(cells: Sequence[CellData]) -> dict[str, dict[int, Estimate]]:
    """Total variation from the real users' replies by turn and user, among the dialogues that have a reply there."""
    measured = [cell.users.reply_shift for cell in cells if cell.users is not None]
    seeds = [{user: {p.turn: _among_alive(p) for p in c} for user, c in curves.items()} for curves in measured]
    return _by_turn(seeds)


def _among_alive(point: TurnShift) -> tuple[float, float, float]:
    scale = point.dialogues / point.alive
    return scale * point.tv, scale * point.low, scale * point.high


def _by_turn(
    seeds: Sequence[Mapping[str, Mapping[int, tuple[float, float, float]]]],
) -> dict[str, dict[int, Estimate]]:
    """Curves over the seeds, at the turns that all of them have; a single seed keeps its interval over dialogues."""
    result: dict[str, dict[int, Estimate]] = {}
    for name in dict.fromkeys(name for curves in seeds for name in curves):
        found = [curves[name] for curves in seeds if curves.get(name)]
        common = sorted(set.intersection(*map(set, found))) if found else []
        if common:
            result[name] = {turn: of_intervals([points[turn] for points in found]) for turn in common}
    return result
