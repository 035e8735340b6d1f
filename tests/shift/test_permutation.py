"""The permutation test against enumeration by hand, its level under the null, and its power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from understudy.shift.folds import deal_folds
from understudy.shift.permutation import permutation_p_value


def p_value(
    x: np.ndarray,
    label: np.ndarray,
    cluster: np.ndarray,
    seed: int = 0,
    draws: int = 199,
    fold: np.ndarray | None = None,
) -> float | None:
    if fold is None:
        fold = deal_folds(cluster, label, 2, np.random.default_rng(seed))
    return permutation_p_value(x, label, fold, cluster, seed=seed, draws=draws)


def test_two_clusters_by_hand() -> None:
    """Two pairs, one per fold: relabelled by flips, 4 in all. The statistic is twice the product of the two differences,
    which the two labellings that flip both or none share."""
    x = np.array([[1.0], [0.0], [1.0], [0.0]])
    label, cluster = np.array([True, False, True, False]), np.array([0, 0, 1, 1])
    found = p_value(x, label, cluster, draws=3999)
    assert found == pytest.approx(0.5, abs=0.03)
    # Nothing differs: every relabelling differs as much.
    assert p_value(np.ones((4, 1)), label, cluster) == 1.0


def test_sparse_and_dense_rows_give_the_same() -> None:
    rng = np.random.default_rng(0)
    x, label, cluster = rng.random((60, 5)), np.arange(60) < 30, np.arange(60) % 30
    assert p_value(x, label, cluster) == p_value(csr_matrix(x), label, cluster)


@pytest.mark.parametrize("kind", ["singles", "pairs", "groups", "mixed", "spread"])
def test_its_level_is_what_it_says(kind: str) -> None:
    """No shift, rows that share most of what they are within clusters: p <= .1 in about a tenth of 400 samples."""
    rng = np.random.default_rng(1)
    low = 0
    for repeat in range(400):
        if kind == "singles":
            cluster, label = np.arange(80), np.arange(80) < 30
        elif kind == "pairs":
            cluster, label = np.arange(80) % 40, np.arange(80) < 40
        elif kind == "groups":  # rollouts in groups of 4 against dialogues of their own
            cluster, label = np.concatenate([np.arange(60) // 4, 100 + np.arange(40)]), np.arange(100) < 60
        elif kind == "spread":  # few persons with so much to say that they lie in both folds
            cluster, label = np.arange(160) % 8, np.arange(160) < 80
        else:
            cluster = np.concatenate([np.arange(40) % 20, 100 + np.arange(30)])
            label = np.concatenate([np.arange(40) < 20, np.arange(30) < 12])
        # What the rows of one sample in a cluster share: a person's way in the logs, a simulator's with that person.
        shared = rng.normal(size=(int(cluster.max()) + 1, 2, 3))
        # What all rows have in common must not count: folds are even in both samples, and relabelled ones would not be.
        x = 3 + shared[cluster, label.astype(int)] + 0.3 * rng.normal(size=(len(cluster), 3))
        fold = np.arange(len(x)) // 3 % 2 if kind == "spread" else None
        found = p_value(x, label, cluster, seed=repeat, draws=59, fold=fold)
        assert found is not None
        low += found <= 0.1
    # 3.5 standard deviations of a binomial share.
    assert abs(low / 400 - 0.1) < 3.5 * (0.1 * 0.9 / 400) ** 0.5


def test_a_shift_is_seen() -> None:
    rng = np.random.default_rng(2)
    label, cluster = np.arange(200) < 60, np.arange(200)
    # On top of much that all rows have in common, which samples of two sizes must not make a difference of.
    x = 50 + rng.normal(size=(200, 3)) + label[:, None] * np.array([1.5, 0, 0])
    assert p_value(x, label, cluster) == 1 / 200


def test_nothing_to_exchange() -> None:
    label = np.array([True] * 4)
    assert permutation_p_value(np.zeros((4, 1)), label, np.arange(4) % 2, np.arange(4), seed=0) is None
