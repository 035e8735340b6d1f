"""From a matplotlib figure to SVG that can stand inside a page: the page's font, ids of its own, nothing external."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from understudy.report.palette import FAINT, GRID, INK, MUTED

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "understudy",
    # Names of tasks and users come from files: a dollar sign is a dollar sign.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11.5,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titlepad": 10,
    "axes.labelsize": 11.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_PIXELS_PER_INCH = 72


@contextmanager
def figure(width: float, height: float) -> Iterator[Any]:
    """A matplotlib figure of this size in CSS pixels, in the report's style; draw and call `to_svg` inside the block."""
    import matplotlib
    from matplotlib.figure import Figure

    # A Figure without pyplot has no window, no backend to choose and no global state.
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH), layout="constrained")


def to_svg(drawn: Any, label: str, prefix: str) -> str:
    """The figure as an `<svg>` element.

    Args:
        label: what a screen reader says.
        prefix: goes before every id, so that two figures on a page do not share any.
    """
    from html import escape

    buffer = io.StringIO()
    drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.S)
    # The page's own font: matplotlib's is not embedded and need not be there.
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r"font: ((?:bold |\d+ )?)([\d.]+px) [^;\"]*", r"font-weight: \1; font-size: \2", svg).replace(
        "font-weight: ; ", ""
    )
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    view = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert view is not None  # matplotlib writes it
    head = (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="{view[0][9:-1]}" '
        f'style="max-width:{float(view[1]):.0f}px">'
    )
    return head + svg[svg.index(">") + 1 :].replace("xlink:href", "href")


def limits(values: list[float], reward_max: float) -> tuple[float, float]:
    """From 0 to just above the largest value, a tenth of `reward_max` at least; negative values are shown."""
    finite = [value for value in values if value == value]
    top = max(0.1 * reward_max, *finite) if finite else reward_max
    low = min(0.0, *finite) if finite else 0.0
    return low - 0.02 * (top - low), min(top * 1.08, max(reward_max * 1.04, top * 1.02))
