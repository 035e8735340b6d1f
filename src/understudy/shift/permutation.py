"""A permutation test of two samples: exact at any sample size, however the rows depend on each other within clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 199
"""Relabellings; the smallest p-value is 1 / (DRAWS + 1)."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def permutation_p_value(
    matrix: Any, label: Bools, fold: Ints, cluster: Ints, *, seed: int, draws: int = DRAWS
) -> float | None:
    """How often relabelled samples differ as much as these do, the observed labelling counted: in [1 / (draws + 1), 1].

    The statistic is the cross-fitted one of the difference of means (the classifier of `two_sample` at its strongest
    penalty; a linear maximum mean discrepancy, Gretton et al. 2012): the folds' differences are compared with each other.
    It has a closed form, so that every relabelling is fitted anew: the p-value is exact (Phipson and Smyth 2010, arXiv
    1603.05766), which one of fixed classifiers would not be.

    Labels are exchanged where nothing but chance assigned them: within a cluster that holds both samples all at once, in each
    fold as many rows of each as the rarer has there; within a fold among clusters that hold one sample, of which one row each
    is taken.

    Args:
        matrix: [N, F] features, dense or sparse.
        label: [N] true for the positive sample.
        fold: [N].
        cluster: [N] rows with the same number are dependent, whatever folds they lie in.
        seed: of the rows taken and of the relabellings.

    Returns:
        None if nothing can be exchanged: no fold has clusters of both samples.
    """
    rng = np.random.default_rng([seed, 2])
    paired, single = _exchangeable(label, fold, cluster, rng)
    flips = rng.random((draws, int(cluster.max()) + 1)) < 0.5
    rows = np.concatenate([paired, single])
    whole: Any = 0.0
    within = np.zeros(draws + 1)
    exchanged = False
    for k in np.unique(fold[rows]):
        in_pairs, alone = paired[fold[paired] == k], single[fold[single] == k]
        here = np.concatenate([in_pairs, alone])
        if label[here].all() or not label[here].any():
            continue
        exchanged = True
        shuffled = rng.permuted(np.tile(label[alone], (draws, 1)), axis=1)
        drawn = np.concatenate([label[in_pairs] ^ flips[:, cluster[in_pairs]], shuffled], axis=1)
        positive = np.concatenate([label[here][None, :], drawn])  # as observed first; equally many in all
        counts = label[here].sum()
        # Differences of means: what is common to all rows drops out of every relabelling.
        weights = np.where(positive, 1 / counts, -1 / (len(here) - counts))
        difference = _product(weights, matrix[here])
        within += np.einsum("df,df->d", difference, difference)
        whole = whole + difference
    if not exchanged:
        return None
    statistic = np.einsum("df,df->d", whole, whole) - within
    # Rounding must not tell apart relabellings that give the same differences.
    at_least = statistic[1:] >= statistic[0] - 1e-12 * max(1.0, abs(float(statistic[0])))
    return (1 + int(at_least.sum())) / (draws + 1)


def _exchangeable(label: Bools, fold: Ints, cluster: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows of clusters with both samples, in each fold as many of each; and one row of each cluster that has one sample."""
    paired: list[int] = []
    single: list[int] = []
    order = rng.permutation(len(label))
    order = order[np.argsort(cluster[order], kind="stable")]
    for rows in np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1):
        if label[rows].all() or not label[rows].any():
            single.append(int(rows[0]))
            continue
        for k in np.unique(fold[rows]):
            ours, theirs = (rows[(fold[rows] == k) & (label[rows] == which)] for which in (True, False))
            few = min(len(ours), len(theirs))
            paired += [*ours[:few].tolist(), *theirs[:few].tolist()]
    return np.array(paired, dtype=np.int64), np.array(single, dtype=np.int64)


def _product(weights: Floats, rows: Any) -> Floats:
    """weights @ rows, dense, whichever form the rows have."""
    product: Floats = np.asarray((rows.T @ weights.T).T)
    return product
