"""The mean of a noisy figure over contexts other than those where it was seen, and how little is known of it there.

Bayesian quadrature (O'Hagan 1991): the figure is a constant, of which nothing is known, plus a Gaussian process over the
contexts. Where contexts lie among those seen, the mean is known up to the noise; far from them, up to the process' scale, and
as neighbours share what is unknown, more of them do not average it away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

COMPONENTS = 8
"""Principal components of the states, scaled to unit variance, that distances are measured in."""
LENGTH = 0.5
"""Distance per root of `COMPONENTS` over which the figure is much the same."""
_RANK = 1e-6


@dataclass(frozen=True)
class Mean:
    """A mean over contexts, linear in what was seen.

    Attributes:
        weights: [A] of the values seen; they sum to 1.
        noise: its standard deviation, had the values been seen in these very contexts.
        extrapolation: what the standard deviation has besides, as they were seen in others.
    """

    weights: Values
    noise: float
    extrapolation: float


def nearness(seen: Values, asked: Values) -> tuple[Values, Values]:
    """[A, D] and [B, D]: states of contexts as coordinates in which the kernel's length is 1.

    Args:
        seen, asked: [A, F] and [B, F].
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    both = StandardScaler().fit_transform(np.vstack([seen, asked]))
    if not both.any():  # one context for all: nothing has been said yet
        return np.zeros((len(seen), 1)), np.zeros((len(asked), 1))
    components = PCA(min(COMPONENTS, *both.shape), random_state=0)
    places = components.fit_transform(both)
    # Components that are rounding alone would set equal states apart.
    kept = components.explained_variance_ > _RANK * components.explained_variance_[0]
    places = places[:, kept] / (np.sqrt(components.explained_variance_[kept]) * LENGTH * math.sqrt(kept.sum()))
    return places[: len(seen)], places[len(seen) :]


def mean_over(seen: Values, asked: Values, weights: Values, values: Values, scale: float) -> Mean:
    """The mean of the figure over the contexts asked for.

    Args:
        seen: [A, D] places where `values` [A] were seen; see `nearness`. Values lie in [-1, 1].
        asked: [B, D].
        weights: [B] of the contexts asked for, of either sign; their sum is above 0.
        scale: standard deviation of the process: how far the figure may be from its mean somewhere far from all others.

    Raises:
        ValueError: if no value was seen, or no context is asked for.
    """
    if not len(seen) or not len(asked):
        raise ValueError(f"{len(seen)} contexts seen and {len(asked)} asked for: there must be one of each")
    share = weights / weights.sum()
    # So few values show no variance that is smaller, even if they are all equal.
    noise = max(float(values.var()), 1 / len(values))
    to_asked, among_asked = (scale**2 * _kernel(a, asked) @ share for a in (seen, asked))
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(scale**2 * _kernel(seen, seen) + noise * np.eye(len(seen)), lower=True)
    known, ones = (cho_solve(factor, x) for x in (to_asked, np.ones(len(seen))))
    # What the process leaves of the constant is estimated by generalised least squares.
    left, information = 1 - float(known.sum()), float(ones.sum())
    variance = float(among_asked @ share) - float(to_asked @ known) + left**2 / information
    independent = noise / len(values)
    return Mean(
        weights=known + ones * left / information,
        noise=math.sqrt(independent),
        extrapolation=math.sqrt(max(0.0, variance - independent)),
    )


def _kernel(a: Values, b: Values) -> Values:
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    result: Values = np.exp(-0.5 * np.maximum(squared, 0))
    return result
