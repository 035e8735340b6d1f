"""How figures and names are written on the page and in the terminal."""

from __future__ import annotations

import math

from understudy.stats import Interval

DAGGER = "†"
NO_FIGURE = "–"


def marked(name: str) -> str:
    """An arm or a user by name; what rests on the prompted stand-in carries a dagger."""
    return f"{name} {DAGGER}" if name.startswith("prompted stand-in") or name == "interactive" else name


def number(value: float | None, digits: int) -> str:
    return NO_FIGURE if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def interval(value: Interval | None, digits: int, *, sign: bool = False) -> str:
    """`0.417 [0.374, 0.460]`; the mean alone without bounds, a dash without a mean."""
    if value is None or not math.isfinite(value.mean):
        return NO_FIGURE
    plus = "+" if sign else ""
    bounds = f" [{value.low:{plus}.{digits}f}, {value.high:{plus}.{digits}f}]" if value.bounded else ""
    return f"{value.mean:{plus}.{digits}f}{bounds}"


def percent(value: Interval | None, digits: int = 0) -> str:
    """As `interval`, in percent: `78% [61, 95]`."""
    if value is None or not math.isfinite(value.mean):
        return NO_FIGURE
    bounds = f" [{100 * value.low:.{digits}f}, {100 * value.high:.{digits}f}]" if value.bounded else ""
    return f"{100 * value.mean:.{digits}f}%{bounds}"


def count(value: float) -> str:
    """Whole, with thousands set apart."""
    return f"{value:,.0f}"
