"""Intervals: over seeds by Student's t, over dialogues by the bootstrap, of shares by Wilson. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]

_CHUNK = 4_000_000  # indices drawn at once in the bootstrap: 32 MB, whatever the number of dialogues


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its two-sided confidence interval.

    Attributes:
        mean: the estimate; nan where there is none.
        low: lower bound; nan where the data allow none (one seed, for example).
        high: upper bound, likewise.
        n: how many independent values it rests on (seeds, dialogues, occasions).
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def bounded(self) -> bool:
        """Whether both bounds exist."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def excludes(self, value: float) -> bool:
        """Whether the interval exists and does not contain `value`."""
        return self.bounded and not self.low <= value <= self.high

    def exp(self) -> Interval:
        """Of a figure whose logarithm this is."""
        return Interval(math.exp(self.mean), math.exp(self.low), math.exp(self.high), self.n)

    def format(self, digits: int = 3) -> str:
        """`0.417 [0.374, 0.460]`; the mean alone without bounds, `n/a` without a mean."""
        if not math.isfinite(self.mean):
            return "n/a"
        mean = f"{self.mean:.{digits}f}"
        return f"{mean} [{self.low:.{digits}f}, {self.high:.{digits}f}]" if self.bounded else mean


def t_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of a few independent values (one per seed) with Student's t interval.

    One value gives its mean with nan bounds: a single seed says nothing about the spread over seeds.

    Raises:
        ValueError: if there is no value, or one is not finite, or `level` is not in (0, 1).
    """
    x = _checked(values, level)
    mean, n = float(x.mean()), len(x)
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    half = _t_quantile(level, n - 1) * float(x.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def paired_difference(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of `a - b` over seeds that both share, with Student's t interval of the differences (see `t_interval`).

    Raises:
        ValueError: if the lengths differ, and as `t_interval`.
    """
    x, y = _checked(a, level), _checked(b, level)
    if len(x) != len(y):
        raise ValueError(f"paired values must come from the same seeds: got {len(x)} and {len(y)}")
    return t_interval(x - y, level)


def bootstrap_interval(
    values: ArrayLike, rng: np.random.Generator, level: float = 0.95, resamples: int = 2000
) -> Interval:
    """Mean of many independent values (one per dialogue) with the BCa bootstrap interval.

    BCa (Efron 1987) rather than percentile: rewards are bounded and skewed (accuracy near 0, few walk-outs), where the
    percentile interval is shifted to the wrong side. For a mean the acceleration has a closed form, skewness /
    (6 sqrt n), so that no jackknife is needed (and scipy's memory, n x n, neither). Values that are all equal give zero
    width: use `binomial_interval` for shares near 0 or 1. One value gives nan bounds.

    Args:
        resamples: how many bootstrap means; the bounds' own noise falls with its root.

    Raises:
        ValueError: as `t_interval`, or if `resamples` < 100.
    """
    x = _checked(values, level)
    if resamples < 100:
        raise ValueError(f"resamples is {resamples}: an interval needs 100 or more")
    mean, n = float(x.mean()), len(x)
    if n == 1:
        return Interval(mean, math.nan, math.nan, 1)
    centred = x - mean
    spread = float(np.mean(centred**2))
    if spread == 0:
        return Interval(mean, mean, mean, n)
    rows = max(1, _CHUNK // n)
    means = np.concatenate(
        [x[rng.integers(n, size=(min(rows, resamples - start), n))].mean(axis=1) for start in range(0, resamples, rows)]
    )
    from scipy.special import ndtr, ndtri

    # Ties count half: the means of 0/1 rewards are discrete.
    below = (np.sum(means < mean) + 0.5 * np.sum(means == mean) + 0.5) / (resamples + 1)
    bias = float(ndtri(below))
    acceleration = float(np.mean(centred**3)) / spread**1.5 / (6 * math.sqrt(n))
    z = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(means, ndtr(bias + z / (1 - acceleration * z)))
    return Interval(mean, float(low), float(high), n)


def ratio_interval(
    numerators: ArrayLike, denominators: ArrayLike, rng: np.random.Generator, level: float = 0.95, resamples: int = 1000
) -> Interval:
    """Sum of numerators / sum of denominators over independent units (dialogues), with the percentile bootstrap interval.

    For figures per token or per occasion, of which one unit holds many.

    Args:
        denominators: above 0, as many as numerators.

    Raises:
        ValueError: if the lengths differ or a denominator is not above 0, and as `t_interval`.
    """
    x, y = _checked(numerators, level), _checked(denominators, level)
    if len(x) != len(y) or not (y > 0).all():
        raise ValueError(f"{len(x)} numerators need as many denominators above 0")
    picked = rng.integers(len(x), size=(resamples, len(x)))
    ratios = x[picked].sum(1) / y[picked].sum(1)
    low, high = np.quantile(ratios, ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(x.sum() / y.sum()), float(low), float(high), len(x))


def binomial_interval(successes: float, n: float, level: float = 0.95) -> Interval:
    """A share with Wilson's score interval, which holds near 0 and 1 too; (nan, 0, 1) for no trials.

    Args:
        successes: in [0, n]; need not be whole (an effective count).
        n: independent trials, or an effective number of them.

    Raises:
        ValueError: if `successes` is outside [0, n], or `level` outside (0, 1).
    """
    _check_level(level)
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials")
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, 0)
    p, z2 = successes / n, _z_quantile(level) ** 2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At 0 and 1 rounding would leave the bound a hair off the share.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(p, low, high, round(n))


def bounded_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Mean of many independent values in [0, 1] (one per dialogue): Wilson's score interval on an effective count.

    The variance is never above that of 0/1 values with the same mean. How far it is below is estimated, and drawn towards
    no difference by as much as `z^2 / 4` would, so that a sample without spread (all 0, or all near 1) still has an
    interval that its size allows. The bootstrap has none there: it cannot draw what it has not seen.

    Raises:
        ValueError: if a value lies outside [0, 1], and as `t_interval`.
    """
    x = _checked(values, level)
    if (x < 0).any() or (x > 1).any():
        raise ValueError("values must lie in [0, 1]")
    n, p = len(x), float(x.mean())
    z2 = _z_quantile(level) ** 2
    binary = n * p * (1 - p)
    share = (float(np.sum((x - p) ** 2)) + z2 / 4) / (binary + z2 / 4)
    effective = n / min(1.0, share)
    found = binomial_interval(p * effective, effective, level)
    return Interval(p, min(p, found.low), max(p, found.high), n)


def clustered_share(successes: ArrayLike, trials: ArrayLike, level: float = 0.95) -> Interval:
    """A share of occasions that come in clusters (several in one dialogue); Wilson's interval on an effective count.

    Occasions of one dialogue are not independent. The design effect is the ratio estimator's cluster variance over the
    binomial one (Kish 1965), at least 1. Where the share is 0 or 1 it cannot be estimated: a whole cluster then counts
    as one trial.

    Args:
        successes: [C] per cluster, each in [0, trials].
        trials: [C] per cluster; clusters without a trial are left out.

    Returns:
        `n` is the number of trials (not the effective one); (nan, 0, 1) for no trials.

    Raises:
        ValueError: if lengths differ, a count is negative or above its trials, or `level` is outside (0, 1).
    """
    s, m = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    if s.shape != m.shape or (s < 0).any() or (s > m).any():
        raise ValueError("successes must match trials in length, and lie between 0 and them")
    s, m = s[m > 0], m[m > 0]
    total, clusters = float(m.sum()), len(m)
    if clusters == 0:
        return binomial_interval(0, 0, level)
    p = float(s.sum()) / total
    if p in (0.0, 1.0) or clusters == 1:
        effective = float(clusters)
    else:
        between = clusters / (clusters - 1) * float(np.sum((s - p * m) ** 2)) / total**2
        effective = min(total, p * (1 - p) / between) if between > 0 else total
    found = binomial_interval(p * effective, effective, level)
    return Interval(p, found.low, found.high, int(total))


@dataclass(frozen=True, slots=True)
class Recovered:
    """How much of the oracle's gain over the base an arm recovers; 1 is all of it, below 0 is worse than the base.

    Attributes:
        interval: ratio of mean gains over seeds with Fieller's interval; `n` seeds. See `recovered` for nan.
        gain: the oracle's gain `J_oracle - J_base` with its t-interval.
        per_seed: each seed's own ratio, in order; nan where the oracle gained nothing on that seed.
    """

    interval: Interval
    gain: Interval
    per_seed: tuple[float, ...]


def recovered(arm: Sequence[float], base: Sequence[float], oracle: Sequence[float], level: float = 0.95) -> Recovered:
    """`(J_arm - J_base) / (J_oracle - J_base)` over seeds: ratio of the mean gains, with Fieller's interval.

    Ratio of means, because a mean of ratios is ruled by the seed whose oracle gained least. Fieller (1954) rather than
    a bootstrap, because five seeds have only 126 distinct resamples and their percentile interval is far too narrow;
    Fieller is exact for normal paired gains, and bounded exactly where the oracle's gain is significant.

    Where the oracle's gain is not significantly positive at `level` (which includes <= 0), a share of it means nothing:
    the ratio and its bounds are nan. With one seed nothing can be tested: the ratio is given if the gain is > 0, with
    nan bounds.

    Raises:
        ValueError: if the lengths differ, and as `t_interval`.
    """
    a, b, o = (_checked(values, level) for values in (arm, base, oracle))
    if not len(a) == len(b) == len(o):
        raise ValueError(f"arm, base and oracle must share their seeds: got {len(a)}, {len(b)} and {len(o)}")
    x, y, n = a - b, o - b, len(a)
    per_seed = tuple(float(u / v) if v > 0 else math.nan for u, v in zip(x, y, strict=True))
    gain = t_interval(y, level)
    if gain.mean <= 0 or (n > 1 and not gain.low > 0):
        return Recovered(Interval(math.nan, math.nan, math.nan, n), gain, per_seed)
    ratio = float(x.mean()) / gain.mean
    if n == 1:
        return Recovered(Interval(ratio, math.nan, math.nan, 1), gain, per_seed)
    # All r with |mean(x - r y)| <= t * standard error(x - r y): the roots of a quadratic in r.
    scale = _t_quantile(level, n - 1) ** 2 / n
    covariance = np.cov(x, y) * scale
    square = gain.mean**2 - covariance[1, 1]
    linear = float(x.mean()) * gain.mean - covariance[0, 1]
    constant = float(x.mean()) ** 2 - covariance[0, 0]
    root = math.sqrt(max(0.0, linear**2 - square * constant))
    return Recovered(
        Interval(ratio, float((linear - root) / square), float((linear + root) / square), n), gain, per_seed
    )


def late_rise(curve: ArrayLike, level: float = 0.95) -> Interval:
    """How much a learning curve still rose over its last third: least-squares slope times the steps between its ends.

    The interval is Student's, of a straight line with independent errors; where it contains 0, no rise was seen, and its
    upper bound is the rise that could have been missed. `n` is the number of steps looked at.

    Args:
        curve: [S] reward by step, at least 9.

    Raises:
        ValueError: if there are fewer steps, and as `t_interval`.
    """
    y = _checked(curve, level)
    if len(y) < 9:
        raise ValueError(f"a curve of {len(y)} steps is too short to see whether it still rises: give 9 or more")
    y = y[-(len(y) // 3) :]
    n = len(y)
    x = np.linspace(-0.5, 0.5, n)
    rise = float(x @ y / (x @ x))
    rest = y - y.mean() - rise * x
    half = _t_quantile(level, n - 2) * math.sqrt(float(rest @ rest) / (n - 2) / float(x @ x))
    return Interval(rise, rise - half, rise + half, n)


def _checked(values: ArrayLike, level: float) -> Values:
    _check_level(level)
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.size == 0:
        raise ValueError(f"an interval needs a flat, non-empty list of values, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{int((~np.isfinite(x)).sum())} of {x.size} values are not finite")
    return x


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: it must lie in (0, 1)")


def _t_quantile(level: float, freedom: float) -> float:
    # scipy.special has the quantile without the second that importing scipy.stats takes.
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))


def _z_quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))
