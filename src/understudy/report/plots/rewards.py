"""Reward in training beside reward with real users: by arm, by severity of the stand-in, by number of logs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from understudy.report.plots.canvas import ARM_COLOURS, LEFT_ALIGNED, RULE, SOFT, grid_of, sheet
from understudy.report.summary import FamilySummary
from understudy.report.words import marked
from understudy.stats import Interval


def dumbbells(families: Sequence[FamilySummary]) -> str:
    """One panel per family, one line per arm: hollow is the reward in training, filled the reward at T=1 with the judge."""
    rows, columns = grid_of(len(families))
    arms = max(len(family.arms) for family in families)
    with sheet(rows, columns, 14.6, rows * (1.25 + 0.42 * arms)) as drawn:
        for axis, family in zip(drawn.panels, families, strict=False):
            _dumbbell(axis, family)
        for axis in drawn.panels[len(families) :]:
            axis.set_visible(False)
        return drawn.svg("Reward in training and with real users, by arm, one panel per task")


def _dumbbell(axis: Any, family: FamilySummary) -> None:
    names = list(family.arms)
    for y, arm in enumerate(family.arms.values()):
        colour = ARM_COLOURS[arm.arm]
        real = arm.decoding["T=1"]
        if arm.training_reward is not None:
            met = arm.training_reward.mean
            axis.plot([met, real.mean], [y, y], color=colour, linewidth=3, alpha=0.35, solid_capstyle="round")
            axis.plot(met, y, "o", markersize=9, markerfacecolor="white", markeredgecolor=colour, markeredgewidth=2)
        if real.bounded:
            axis.plot([real.low, real.high], [y, y], color=colour, linewidth=1.4)
        axis.plot(real.mean, y, "o", markersize=10, color=colour)
        axis.annotate(
            f"{real.mean:.{min(2, family.digits)}f}",
            (real.mean, y),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=colour,
            fontweight="bold",
        )
    axis.set_yticks(range(len(names)), [marked(name) for name in names])
    for label, name in zip(axis.get_yticklabels(), names, strict=True):
        label.set_color(ARM_COLOURS[name])
        label.set_fontsize(11)
    axis.set_ylim(len(names) - 0.45, -0.7)
    axis.set_xlim(-0.03 * family.reward_max, 1.03 * family.reward_max)
    axis.spines["left"].set_visible(False)
    axis.set_title(family.family, **LEFT_ALIGNED)
    axis.set_xlabel(f"{family.reward_name}   ○ in training   ● with {family.judge_label}", fontsize=9)


class Sweep:
    """One family's curve: the arm's rewards over what was varied, and arms that stay put as level lines.

    Args:
        points: `(in training, with the judge)` by what was varied.
        levels: reward of fixed arms.
    """

    def __init__(
        self,
        family: FamilySummary,
        arm: str,
        points: Mapping[float, tuple[Interval | None, Interval]],
        levels: Mapping[str, float],
    ) -> None:
        self.family, self.arm, self.points, self.levels = family, arm, points, levels


def sweeps(found: Sequence[Sweep], label: str, *, log_axis: bool = False) -> str:
    """One panel per family; dashed and hollow in training, solid and filled with the judge."""
    rows, columns = grid_of(len(found))
    with sheet(rows, columns, 14.6 if len(found) > 1 else 9, rows * 3.6) as drawn:
        for axis, sweep in zip(drawn.panels, found, strict=False):
            _sweep(axis, sweep, label, log_axis)
        for axis in drawn.panels[len(found) :]:
            axis.set_visible(False)
        return drawn.svg(f"Reward in training and with real users over {label}")


def _sweep(axis: Any, sweep: Sweep, label: str, log_axis: bool) -> None:
    colour, family = ARM_COLOURS[sweep.arm], sweep.family
    x = sorted(sweep.points)
    met = [point.mean if (point := sweep.points[value][0]) else math.nan for value in x]
    real = [sweep.points[value][1] for value in x]
    if log_axis:
        axis.set_xscale("log")
        axis.minorticks_off()
    axis.plot(x, met, "o--", color=colour, markerfacecolor="white", markeredgewidth=1.8, linewidth=1.5, markersize=7)
    axis.errorbar(
        x,
        [i.mean for i in real],
        yerr=[
            [i.mean - i.low if i.bounded else 0 for i in real],
            [i.high - i.mean if i.bounded else 0 for i in real],
        ],
        fmt="o-",
        color=colour,
        linewidth=2.2,
        elinewidth=1.2,
        markersize=7,
    )
    for name, level in sweep.levels.items():
        axis.axhline(level, color=ARM_COLOURS[name], linewidth=1.3, linestyle=":")
        axis.annotate(
            name,
            (0.995, level),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            color=ARM_COLOURS[name],
        )
    axis.set_xticks(x, [f"{value:,g}" for value in x])
    axis.set_ylim(-0.03 * family.reward_max, 1.06 * family.reward_max)
    axis.set_title(family.family, **LEFT_ALIGNED)
    axis.set_xlabel(label)
    axis.set_ylabel(family.reward_name)
    axis.tick_params(colors=SOFT)
    axis.spines["bottom"].set_color(RULE)
