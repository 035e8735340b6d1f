"""Folds for a two-sample test: what depends on each other stays together, and each fold holds both samples."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from understudy.shift.contexts import Context
from understudy.types import Dialogue

Ints = NDArray[np.int64]


def dialogue_clusters(dialogues: Sequence[Dialogue], limit: int) -> Ints:
    """[N] cluster of each dialogue: those about one task are dependent (paired appointments, groups of rollouts), and so are
    those of one person.

    Args:
        limit: largest cluster; a task id or a person that more dialogues share (logs without either) is taken to say nothing.
    """
    links = _Links(len(dialogues), limit)
    links.tie((d.task.family, d.task.id) for d in dialogues)
    links.tie(d.person for d in dialogues)
    return links.components()


def fold_groups(clusters: Ints, contexts: Sequence[Context], limit: int) -> Ints:
    """[N] group of each context: its cluster, and every group that holds an identical context (a twin).

    Training on one twin and testing on the other pushes the AUC of a copied sample below .5. Rare texts are tied first,
    and a tie that would make a group larger than `limit` is left out: a context that so many share is a state (as the
    ended ones are, which are never tied), whose share can only be learned if every fold has some.
    """
    links = _Links(len(contexts), limit)
    links.tie(int(c) for c in clusters)
    links.tie(c.messages if c.alive else i for i, c in enumerate(contexts))
    return links.components()


def deal_folds(groups: Ints, label: NDArray[np.bool_], folds: int, rng: np.random.Generator) -> Ints:
    """[N] fold in 0..folds-1 of each row: whole groups, in random order and large ones first, each to the fold that is
    then most even in both samples.
    """
    _, index = np.unique(groups, return_inverse=True)
    counts = np.stack([np.bincount(index, weights=~label), np.bincount(index, weights=label)], axis=1)
    share = counts / counts.sum(axis=0)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    filled = np.zeros((folds, 2))
    chosen = np.zeros(len(counts), dtype=np.int64)
    for group in order:
        # Of all folds, the one with the least of what this group brings (weighted by how much it brings).
        chosen[group] = int(np.argmin(filled @ share[group] + rng.random(folds) * 1e-12))
        filled[chosen[group]] += share[group]
    result: Ints = chosen[index]
    return result


class _Links:
    """Union-find over rows, which refuses components larger than `limit`."""

    def __init__(self, count: int, limit: int) -> None:
        self._parent = list(range(count))
        self._size = [1] * count
        self._limit = limit

    def tie(self, keys: Iterable[Hashable]) -> None:
        """Tie the rows that share a key, rare keys first."""
        rows: dict[Hashable, list[int]] = {}
        for row, key in enumerate(keys):
            rows.setdefault(key, []).append(row)
        for members in sorted(rows.values(), key=len):
            roots = {self._root(row) for row in members}
            if len(roots) > 1 and sum(self._size[root] for root in roots) <= self._limit:
                first, *others = roots
                for other in others:
                    self._parent[other] = first
                    self._size[first] += self._size[other]

    def components(self) -> Ints:
        return np.array([self._root(row) for row in range(len(self._parent))], dtype=np.int64)

    def _root(self, row: int) -> int:
        while self._parent[row] != row:
            self._parent[row] = self._parent[self._parent[row]]
            row = self._parent[row]
        return row
