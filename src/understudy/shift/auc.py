"""Area under the ROC curve of cross-fitted scores, and the total variation it proves, with confidence bounds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from understudy.stats import Interval, binomial_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CROSS_FIT = 2.0
"""Variance of a cross-fitted figure over that of its folds taken as independent, where there is nothing to find.

Fold j trains the classifier of fold k and the other way round, so that each chance agreement between two folds counts
twice. For a rule whose score is a sum over training rows of a symmetric kernel (a difference of means; a strongly
penalised logistic regression is near one) the ratio is exactly 2, for any number of folds. Where there is a shift it
is nearer to 1, and the interval is up to 1.4 times as wide as it need be: the price of one that holds at .5.
"""


def cross_fitted_auc(scores: Floats, label: Bools, fold: Ints, cluster: Ints, level: float = 0.95) -> Interval:
    """P(a score of the positive sample > one of the other), ties half.

    Only scores of one classifier are compared. Pooling the folds instead would push null AUCs below .5: where a fold
    happens to hold more of a feature's positives, the classifier of that fold saw fewer of them.

    The interval is DeLong's (1988) in its influence-curve form for cross-validation (LeDell, Petersen, van der Laan
    2015), summed over clusters of dependent rows, on the logit scale, with the variance times `CROSS_FIT`. A bootstrap
    of the scores would cost draws and take the classifiers as given in the same way. At 0 and 1, where the variance is
    0, the far bound is that of min(n) independent pairs that all came out one way.

    Args:
        scores: [N] any real numbers.
        label: [N] true for the positive sample; each fold needs both.
        fold: [N].
        cluster: [N] rows with the same number are dependent.

    Returns:
        `n` is the size of the smaller sample.

    Raises:
        ValueError: if a fold lacks one of the samples.
    """
    n_pairs, wins = 0.0, 0.0
    influence = np.zeros(len(scores))
    for k in np.unique(fold):
        inside = fold == k
        positive, negative = np.flatnonzero(inside & label), np.flatnonzero(inside & ~label)
        if not len(positive) or not len(negative):
            raise ValueError(f"fold {k} holds only one of the two samples")
        won = _count_below(scores[positive], scores[negative])
        above = won / len(negative)
        below = 1 - _count_below(scores[negative], scores[positive]) / len(positive)
        here = float(above.mean())
        weight = float(len(positive) * len(negative))
        n_pairs += weight
        # Halves of whole numbers, so that a sample compared with its copy gives exactly .5.
        wins += float(won.sum())
        influence[positive] = weight * (above - here) / len(positive)
        influence[negative] = weight * (below - here) / len(negative)
    auc = wins / n_pairs
    n = int(min(label.sum(), (~label).sum()))
    if auc in (0.0, 1.0):
        edge = ((1 - level) / 2) ** (1 / n)
        return Interval(auc, min(auc, edge), 1.0, n) if auc else Interval(auc, 0.0, 1 - edge, n)
    _, index = np.unique(cluster, return_inverse=True)
    per_cluster = np.bincount(index, weights=influence / n_pairs)
    clusters = len(per_cluster)
    variance = CROSS_FIT * float(np.sum(per_cluster**2)) * clusters / max(1, clusters - 1)
    half = _z(level) * math.sqrt(variance) / (auc * (1 - auc))
    logit = math.log(auc / (1 - auc))
    # Rounding must not put the estimate outside of an interval without width.
    return Interval(auc, min(auc, _sigmoid(logit - half)), max(auc, _sigmoid(logit + half)), n)


def total_variation_bound(guess: Bools, label: Bools, cluster: Ints, level: float = 0.95) -> tuple[float, float]:
    """What a classifier proves about the total variation between two samples: `(estimate, lower confidence bound)`.

    For any fixed classifier, P(guess | positive) - P(guess | negative) = 2 * balanced accuracy - 1 <= TV; so for the
    mean over the folds' classifiers. Both figures are cut at 0; the estimate is above 0 by chance half of the time
    without any shift: judge by the bound. It is one-sided at `level`: Newcombe's (1998) difference of two Wilson
    intervals, with samples counted as Kish's effective size over clusters, divided by `CROSS_FIT`.

    Args:
        guess: [N] what the classifier that did not see the row says.
        label: [N] true for the positive sample.
        cluster: [N] rows with the same number are dependent.
    """
    hit, hit_n = _share_of(guess[label], cluster[label])
    alarm, alarm_n = _share_of(guess[~label], cluster[~label])
    two_sided = 2 * level - 1
    hits = binomial_interval(hit * hit_n, hit_n, two_sided)
    alarms = binomial_interval(alarm * alarm_n, alarm_n, two_sided)
    difference = hit - alarm
    low = difference - math.hypot(hit - hits.low, alarms.high - alarm)
    return max(0.0, difference), max(0.0, low)


def effective_size(cluster: Ints) -> float:
    """Kish's effective number of rows that come in clusters."""
    sizes = np.unique(cluster, return_counts=True)[1].astype(float)
    return float(sizes.sum()) ** 2 / float(np.sum(sizes**2))


def detectable_total_variation(n: float, level: float = 0.95, power: float = 0.8) -> float:
    """The smallest total variation that `total_variation_bound` shows to be above 0 in a share `power` of samples.

    For a classifier that finds all of it, with errors of both kinds equally frequent; one that finds less needs more
    dialogues. By the normal approximation of the difference of two shares, each on `n / CROSS_FIT` dialogues.

    Args:
        n: independent rows per sample, at least 1 (`effective_size` where they come in clusters).
        level: of the one-sided bound.
    """
    from scipy.special import ndtri

    z = float(ndtri(level) + ndtri(power))
    ratio = z * z * CROSS_FIT / (2 * n)
    return math.sqrt(ratio / (1 + ratio))


def _share_of(guess: Bools, cluster: Ints) -> tuple[float, float]:
    return float(guess.mean()), effective_size(cluster) / CROSS_FIT


def _count_below(scores: Floats, others: Floats) -> Floats:
    """[N] for each score, how many of `others` are below it, ties half."""
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, scores, "left"), np.searchsorted(ordered, scores, "right")
    count: Floats = (left + right) / 2
    return count


def _z(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
