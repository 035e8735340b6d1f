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

    Labels are exchanged where nothing but chance assigned them: within a cluster that holds both samples all at once, as
    many rows of each as the rarer has; within a fold among clusters that hold one sample, of which one row each is taken.

    Args:
        matrix: [N, F] features, dense or sparse.
        label: [N] true for the positive sample.
        fold: [N]; a cluster lies in one fold.
        cluster: [N] rows with the same number are dependent.
        seed: of the rows taken and of the relabellings.

    Returns:
        None if nothing can be exchanged: no fold has clusters of both samples.
    """
    rng = np.random.default_rng([seed, 2])
    paired, single = _exchangeable(label, cluster, rng)
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
        positive = _relabelled(label, cluster, in_pairs, alone, draws, rng)
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


def _exchangeable(label: Bools, cluster: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows of clusters with both samples, as many of each; and one row of each cluster that has one sample."""
    paired: list[int] = []
    single: list[int] = []
    order = rng.permutation(len(label))
    order = order[np.argsort(cluster[order], kind="stable")]
    for rows in np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1):
        ours, theirs = rows[label[rows]], rows[~label[rows]]
        few = min(len(ours), len(theirs))
        if few:
            paired += [*ours[:few].tolist(), *theirs[:few].tolist()]
        else:
            single.append(int(rows[0]))
    return np.array(paired, dtype=np.int64), np.array(single, dtype=np.int64)


def _relabelled(label: Bools, cluster: Ints, paired: Ints, single: Ints, draws: int, rng: np.random.Generator) -> Bools:
    """[1 + draws, paired and single rows] whether each is of the positive sample, as observed first; equally many in all."""
    names, index = np.unique(cluster[paired], return_inverse=True)
    flips = (rng.random((draws, len(names))) < 0.5)[:, index]
    shuffled = rng.permuted(np.tile(label[single], (draws, 1)), axis=1)
    drawn = np.concatenate([label[paired] ^ flips, shuffled], axis=1)
    found: Bools = np.concatenate([label[np.concatenate([paired, single])][None, :], drawn])
    return found


def _product(weights: Floats, rows: Any) -> Floats:
    """weights @ rows, dense, whichever form the rows have."""
    product: Floats = np.asarray((rows.T @ weights.T).T)
    return product
