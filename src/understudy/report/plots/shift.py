"""Context shift: AUC per agent turn, one line per arm, and the null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.report.plots.canvas import ARM_COLOURS, LEFT_ALIGNED, SOFT, band, grid_of, sheet
from understudy.report.words import marked
from understudy.stats import Interval

Turns = Mapping[int, Interval]
NULL = "null"


def shift_curves(families: Mapping[str, Mapping[str, Turns]]) -> str:
    """One panel per family; bands are 95% intervals."""
    rows, columns = grid_of(len(families))
    with sheet(rows, columns, 14.6 if len(families) > 1 else 9, rows * 3.7 + 0.3) as drawn:
        for axis, (family, curves) in zip(drawn.panels, families.items(), strict=False):
            _panel(axis, curves)
            axis.set_title(family, **LEFT_ALIGNED)
        for axis in drawn.panels[len(families) :]:
            axis.set_visible(False)
        found: dict[str, Any] = {}
        for axis in drawn.panels:
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
                found.setdefault(label, handle)
        drawn.figure.legend(
            list(found.values()), list(found), loc="outside upper left", ncols=len(found), fontsize=11
        )
        return drawn.svg("How well training contexts can be told from contexts with real users, by agent turn")


def _panel(axis: Any, curves: Mapping[str, Turns]) -> None:
    for arm, turns in curves.items():
        x = sorted(turns)
        values = [turns[turn] for turn in x]
        null = arm == NULL
        colour = SOFT if null else ARM_COLOURS[arm]
        band(axis, x, [max(0.0, v.low) for v in values], [min(1.0, v.high) for v in values], colour)
        axis.plot(
            x,
            [v.mean for v in values],
            linestyle="--" if null else "-",
            marker=None if null else "o",
            markersize=5,
            linewidth=1.5 if null else 2.2,
            color=colour,
            label="null (real against real)" if null else marked(arm),
        )
    axis.axhline(0.5, color=SOFT, linewidth=0.7)
    last = max((max(turns) for turns in curves.values() if turns), default=1)
    axis.set_xticks(range(last + 1))
    axis.set_ylim(0.38, 1.02)
    axis.set_xlabel("agent turn")
    axis.set_ylabel("AUC")


