"""The page's figures, each None where a run has nothing to draw it from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from understudy.report.collect import CellFiles, RunFiles
from understudy.report.plots.learning import learning_curves
from understudy.report.plots.rewards import Sweep, dumbbells, sweeps
from understudy.report.plots.shift import NULL, shift_curves
from understudy.report.summary import FamilySummary, Summary, over_seeds, score_interval
from understudy.results import ArmResult
from understudy.stats import Interval


def figures_of(files: RunFiles, summary: Summary) -> dict[str, str | None]:
    """SVG by name: rewards, learning, shift, severity, log_sizes."""
    return {
        "rewards": dumbbells(summary.families) if summary.families else None,
        "learning": _learning(files),
        "shift": _shift(files),
        "severity": _sweeps(
            files, summary, lambda cell: cell.severities, "interactive", "severity of the stand-in's failings"
        ),
        "log_sizes": _sweeps(
            files, summary, lambda cell: cell.log_sizes, "calibrated", "dialogues that the user was aligned on", log=True
        ),
    }


def _learning(files: RunFiles) -> str | None:
    families = {}
    for family in files.families:
        cells = files.of(family)
        curves = {arm: rows for arm in files.arms if (rows := [c.curves[arm] for c in cells if arm in c.curves])}
        if curves:
            families[family] = curves
    return learning_curves(families) if families else None


def _shift(files: RunFiles) -> str | None:
    families = {}
    for family in files.families:
        curves = shift_of(files.of(family), (*files.arms, NULL))
        if curves:
            families[family] = curves
    return shift_curves(families) if families else None


def shift_of(cells: list[CellFiles], arms: tuple[str, ...]) -> dict[str, dict[int, Interval]]:
    """AUC by arm and turn: over seeds by t, of a single seed its own interval."""
    found = {}
    for arm in arms:
        points: dict[int, list[Interval]] = {}
        for cell in cells:
            for point in cell.shift.curves.get(arm, []) if cell.shift else []:
                points.setdefault(point.turn, []).append(Interval(point.auc, point.low, point.high, point.n_a))
        turns = {
            turn: one[0] if len(one) == 1 else over
            for turn, one in sorted(points.items())
            if (over := over_seeds([interval.mean for interval in one])) is not None
        }
        if turns:
            found[arm] = turns
    return found


def _sweeps(
    files: RunFiles,
    summary: Summary,
    of: Callable[[CellFiles], Mapping[float, ArmResult]] | Callable[[CellFiles], Mapping[int, ArmResult]],
    arm: str,
    label: str,
    *,
    log: bool = False,
) -> str | None:
    found = []
    for family in summary.families:
        by_value: dict[float, list[ArmResult]] = {}
        for cell in files.of(family.family):
            for value, result in of(cell).items():
                by_value.setdefault(float(value), []).append(result)
        if by_value:
            points = {value: _point(results) for value, results in by_value.items()}
            found.append(Sweep(family, arm, points, _levels(family)))
    return sweeps(found, label, log_axis=log) if found else None


def _point(results: list[ArmResult]) -> tuple[Interval | None, Interval]:
    met = over_seeds([r.training_reward for r in results if r.training_reward is not None])
    return met, score_interval([r.decoding["T=1"] for r in results])


def _levels(family: FamilySummary) -> dict[str, float]:
    return {arm: family.arms[arm].decoding["T=1"].mean for arm in ("base", "oracle") if arm in family.arms}
