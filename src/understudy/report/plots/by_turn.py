"""Figures over the user's turns, with bands for their intervals."""

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
        values: of the user's first message, the second, and so on.
        colour, style: of matplotlib.
        name: for the legend; empty for none.
    """

    values: Sequence[Interval]
    colour: str
    style: str = "o-"
    name: str = ""


def turns_plot(curves: Sequence[Curve], what: str, label: str, prefix: str) -> str:
    """All curves over the number of the user's message, from 0 up.

    Args:
        what: the figure, for its axis.
        label: what a screen reader says.
        prefix: see `to_svg`.
    """
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        for curve in curves:
            turns = range(1, len(curve.values) + 1)
            low, high = [v.low for v in curve.values], [v.high for v in curve.values]
            axes.fill_between(turns, low, high, color=curve.colour, alpha=0.15)
            axes.plot(turns, [v.mean for v in curve.values], curve.style, color=curve.colour, label=curve.name or None)
        axes.set_ylim(0, None)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("the user's message")
        axes.set_ylabel(what)
        axes.grid(axis="y")
        if any(curve.name for curve in curves):
            axes.legend(loc="upper left")
        return to_svg(drawn, label, prefix)
