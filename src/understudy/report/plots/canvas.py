"""Colours of the arms, a plain style, and figures as SVG that can stand inside a page."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import Any

ARM_COLOURS = {
    "base": "#7a7a7a",
    "control": "#b98d58",
    "static": "#0072b2",
    "interactive": "#d1401f",
    "calibrated": "#009e73",
    "oracle": "#7b4fa3",
}
"""One per arm, everywhere; told apart with any common colour blindness (after Okabe and Ito 2008)."""

INK, SOFT, RULE = "#1f2328", "#6b7280", "#d8dce2"
LEFT_ALIGNED = {"loc": "left", "fontsize": 12, "fontweight": "bold", "pad": 10}

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.edgecolor": RULE,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceef1",
    "grid.linewidth": 1.0,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "legend.frameon": False,
    # Letters as outlines: the page looks the same whatever fonts a reader has.
    "svg.fonttype": "path",
    # Ids that depend on the content alone, so that the same run gives the same page.
    "svg.hashsalt": "understudy",
}


class Sheet:
    """A figure under construction: `axes[row][column]`; `svg()` once it is drawn."""

    def __init__(self, figure: Any, axes: list[list[Any]]) -> None:
        self.figure, self.axes = figure, axes

    @property
    def panels(self) -> list[Any]:
        """All axes, row by row."""
        return [axis for row in self.axes for axis in row]

    def svg(self, description: str) -> str:
        """The figure as an `<svg>` element that refers to nothing outside; `description` is read out to the blind."""
        buffer = StringIO()
        self.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        text = buffer.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r'\s(?:xmlns(?::\w+)?|width|height|version)="[^"]*"', "", text[: text.index(">")], count=0) + (
            text[text.index(">") :]
        )
        return text.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)


@contextmanager
def sheet(rows: int, columns: int, width: float, height: float, **options: Any) -> Iterator[Sheet]:
    """An empty figure of `rows` x `columns` axes, in inches (72 px each); closed afterwards."""
    import matplotlib

    # A figure of its own canvas, not pyplot: no global state, no display.
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots(rows, columns, squeeze=False, **options)
        figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06, wspace=0.04, hspace=0.06)
        yield Sheet(figure, [list(row) for row in axes])


def grid_of(count: int) -> tuple[int, int]:
    """Rows and columns for small multiples: up to three in a row, four as two by two."""
    columns = count if count <= 3 else 2
    return math.ceil(count / columns), columns


def band(axis: Any, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> None:
    """A pale band; places without bounds are left open."""
    axis.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
