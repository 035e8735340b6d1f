"""Figures over turns, with bands for their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from understudy.report.plots.svg import figure, to_svg
from understudy.stats import Interval

_WIDTH, _HEIGHT = 536, 300


@dataclass(frozen=True, slots=True)
class Curve:
    """One figure by turn.

    Attributes:
        values: of the first turn, the second, and so on.
        colour, style: of matplotlib.
        name: for the legend; empty for none.
    """

    values: Sequence[Interval]
    colour: str
    style: str = "o-"
    name: str = ""


def turns_plot(
    curves: Sequence[Curve],
    what: str,
    label: str,
    prefix: str,
    *,
    axis: str = "the user's message",
    first: int = 1,
    bottom: float = 0.0,
) -> str:
    """All curves over the number of the turn.

    Args:
        what: the figure, for its axis.
        label: what a screen reader says.
        prefix: see `to_svg`.
        axis: what is counted.
        first: number of the first value of a curve.
        bottom: where the figure's axis begins.
    """
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        for curve in curves:
            turns = range(first, first + len(curve.values))
            low, high = [v.low for v in curve.values], [v.high for v in curve.values]
            axes.fill_between(turns, low, high, color=curve.colour, alpha=0.15)
            axes.plot(turns, [v.mean for v in curve.values], curve.style, color=curve.colour, label=curve.name or None)
        axes.set_ylim(bottom, None)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(axis)
        axes.set_ylabel(what)
        axes.grid(axis="y")
        if any(curve.name for curve in curves):
            # Above the plot, where no curve can be.
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(curves), borderpad=0, handlelength=1.6)
        return to_svg(drawn, label, prefix)
