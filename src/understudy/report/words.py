"""How numbers are written on the page and in the terminal."""

from __future__ import annotations

import math

from understudy.report.estimate import Estimate
from understudy.report.summary import FamilySummary


def number(value: float, reward_max: float = 1.0, digits: int = 3) -> str:
    """A reward: `digits` decimals where the scale ends at about 1, one decimal on larger scales; – if not finite."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.{digits if reward_max <= 2 else 1}f}".replace("-", "−")


def signed(value: float, reward_max: float = 1.0, digits: int = 3) -> str:
    """A difference of rewards with its sign."""
    return ("+" if value >= 0 else "") + number(value, reward_max, digits)


def percent(value: float) -> str:
    """A share in whole percent; – if not finite."""
    return f"{100 * value:.0f}%".replace("-", "−") if math.isfinite(value) else "–"


def spread(estimate: Estimate, reward_max: float = 1.0) -> str:
    """The interval beside a mean: `±` over seeds, `low to high` over the dialogues of one seed, empty without one."""
    if estimate.has_interval and estimate.over == "seeds":
        return f"±{number(estimate.half, reward_max)}"
    return between(estimate, reward_max)


def between(estimate: Estimate, reward_max: float = 1.0) -> str:
    """`low to high`, or empty without an interval."""
    if not estimate.has_interval:
        return ""
    return f"{number(estimate.low, reward_max)} to {number(estimate.high, reward_max)}"


def interval_of(estimate: Estimate, reward_max: float = 1.0, digits: int = 3) -> str:
    """` [low, high]`, or empty without an interval."""
    if not estimate.has_interval:
        return ""
    return f" [{number(estimate.low, reward_max, digits)}, {number(estimate.high, reward_max, digits)}]"


def percent_between(estimate: Estimate) -> str:
    """The interval of a share, `low to high` in percent, or empty without one."""
    return f"{percent(estimate.low)} to {percent(estimate.high)}" if estimate.has_interval else ""


def progress(family: FamilySummary) -> str:
    """How many seeds are there: `5 seeds`, `3 of 5 seeds finished`, `one seed`."""
    done, expected = len(family.finished), len(family.expected)
    if done < expected:
        return f"{done} of {expected} seeds finished"
    return "one seed" if expected == 1 else f"{expected} seeds"
