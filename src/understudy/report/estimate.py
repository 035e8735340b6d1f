"""A figure of the report: a mean, its interval, and what the interval is over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from understudy.results import Score
from understudy.stats import Interval, t_interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with a 95% interval.

    Attributes:
        low, high: NaN where there is no interval.
        n: seeds, dialogues where there is one seed, or steps of a learning curve.
        over: `seeds` (Student's t), `dialogues` (bootstrap within the one seed) or `steps` (a line through a curve).
    """

    mean: float
    low: float
    high: float
    n: int
    over: str

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2

    def excludes(self, value: float) -> bool:
        """Whether the whole interval lies on one side of `value` (false where there is no interval)."""
        return self.has_interval and (self.low > value or self.high < value)


def over_seeds(values: Sequence[float]) -> Estimate | None:
    """Mean over seeds with a t interval (none with one seed); None without a finite value."""
    finite = [value for value in values if math.isfinite(value)]
    return from_interval(t_interval(finite)) if finite else None


def of_intervals(figures: Sequence[tuple[float, float, float]]) -> Estimate:
    """A figure `(mean, low, high)` of each seed: over seeds with a t interval; with one seed its own over dialogues."""
    if len(figures) == 1:
        return Estimate(*figures[0], 1, "dialogues")
    found = over_seeds([mean for mean, _, _ in figures])
    return found or Estimate(math.nan, math.nan, math.nan, 0, "seeds")


def of_scores(scores: Sequence[Score]) -> Estimate | None:
    """Reward over seeds with a t interval; with one seed its bootstrap interval over dialogues."""
    if len(scores) == 1:
        score = scores[0]
        return Estimate(score.reward, score.low, score.high, score.n, "dialogues")
    return over_seeds([score.reward for score in scores])


def from_interval(interval: Interval) -> Estimate:
    """An interval of `understudy.stats` over seeds."""
    return Estimate(interval.mean, interval.low, interval.high, interval.n, "seeds")
