"""A few figures of one kind with their intervals, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from understudy.report.palette import INK
from understudy.report.plots.svg import figure, to_svg

_WIDTH, _ROW, _FRAME = 1096, 40, 56


@dataclass(frozen=True, slots=True)
class Whisker:
    """A figure: its name, where it lies between `low` and `high`, and matplotlib's colour and marker."""

    name: str
    mean: float
    low: float
    high: float
    colour: str
    marker: str


def whiskers_plot(rows: Sequence[Whisker], what: str, top: float, label: str, prefix: str) -> str:
    """All figures on one axis from 0 to `top`.

    Args:
        what: the figure, for the axis.
        label: what a screen reader says.
        prefix: see `to_svg`.
    """
    with figure(_WIDTH, len(rows) * _ROW + _FRAME) as drawn:
        axes = drawn.subplots()
        for place, row in enumerate(rows):
            axes.plot(
                [row.low, row.high], [place, place], color=row.colour, linewidth=7, alpha=0.3, solid_capstyle="butt"
            )
            axes.plot([row.mean], [place], row.marker, color=row.colour, markersize=9)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=12.5, pad=6)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(0, top)
        axes.set_xlabel(what)
        axes.grid(axis="x")
        return to_svg(drawn, label, prefix)
