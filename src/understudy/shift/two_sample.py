"""Context shift by turn: how well a classifier tells one set of dialogues from another by the agent's contexts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import UnderstudyError
from understudy.shift.auc import (
    cross_fitted_auc,
    detectable_total_variation,
    effective_size,
    total_variation_bound,
)
from understudy.shift.context_sets import ContextSet, Looked, States, look_at
from understudy.shift.contexts import Context, last_common_turn
from understudy.shift.folds import deal_folds, dialogue_clusters, fold_groups
from understudy.shift.permutation import permutation_p_value
from understudy.types import Dialogue

PENALTY_C = 0.1
"""Inverse strength of the L2 penalty; fixed beforehand, never tuned on what is measured."""


@dataclass(frozen=True, slots=True)
class TwoSample:
    """One two-sample test: the contexts of `a` against those of `b` at one turn, the dialogues that ended included.

    An AUC near .5 says that this classifier found no difference, not that there is none.

    Attributes:
        turn: of the agent, counted from 0.
        features: what of the contexts the classifier saw; see `ContextSet`.
        auc: in [0, 1]; .5 where the contexts cannot be told apart, 1 where always.
        low: lower end of the 95% interval of `auc`.
        high: upper end.
        n_a: dialogues in `a`, the ended ones included.
        n_b: in `b`.
        alive_a: dialogues of `a` that have not ended at this turn.
        alive_b: of `b`.
        tv_lower_bound: `max(0, 2 * balanced accuracy - 1)`: a total variation that the classifier shows.
        tv_low: its one-sided lower confidence bound, at 95%: of a curve for all its turns and sets together,
            else (and in results of earlier versions) for this turn alone.
        detectable: the total variation that so many independent dialogues would show in four samples of five, at the level of
            `tv_low`, to a classifier that finds all of it; None in results of earlier versions.
        p_value: of no shift, by `permutation_p_value` on the same features; None where nothing could be relabelled, and in
            results of earlier versions.
    """

    turn: int
    auc: float
    low: float
    high: float
    n_a: int
    n_b: int
    alive_a: int
    alive_b: int
    tv_lower_bound: float
    tv_low: float
    p_value: float | None = None
    detectable: float | None = None
    features: ContextSet = "words"


def two_sample_auc(a: Sequence[Dialogue], b: Sequence[Dialogue], turn: int, *, seed: int, folds: int = 5) -> TwoSample:
    """Cross-fitted logistic regression on `ContextFeatures`, positive class `a`.

    The interval is that of `cross_fitted_auc`, the total variation that of `total_variation_bound`.

    A dialogue, its twins and the dialogues about its task are in one fold (see `fold_groups`).

    Args:
        turn: agent turn, counted from 0.
        seed: of the folds; the result is a function of the arguments.
        folds: 2 or more.

    Raises:
        UnderstudyError: if a set has fewer than `2 * folds` dialogues.
    """
    return _at_turn(look_at("words", a, b, [turn]), turn, _clusters(a, b, folds), seed, folds)


def shift_curve(
    a: Sequence[Dialogue],
    b: Sequence[Dialogue],
    seed: int,
    max_turn: int | None = None,
    min_alive: int = 1000,
    folds: int = 5,
    sets: Sequence[ContextSet] = ("words",),
    states: States | None = None,
) -> list[TwoSample]:
    """`two_sample_auc` at turns 0, 1, ... up to `max_turn` and no further than `last_common_turn`.

    The bounds `tv_low` hold for all turns and sets together (Bonferroni).

    Args:
        max_turn: the last turn wanted; None for as far as there are `min_alive` dialogues alive in both sets.
        sets: of features, each of which is tested at every turn.
        states: what makes the set `states`; needed for it alone. Looked at are up to 500 dialogues of each sample.

    Returns:
        One entry per turn and set, in order of turns; empty where not even turn 0 has `min_alive` dialogues.

    Raises:
        UnderstudyError: as `two_sample_auc`.
    """
    last = last_common_turn(a, b, min_alive)
    if last is None:
        return []
    turns = range(1 + (last if max_turn is None else min(last, max_turn)))
    bound_level = 1 - 0.05 / (len(turns) * len(sets))
    looked = [look_at(name, a, b, turns, states) for name in sets]
    clusters = [_clusters(of.a, of.b, folds) for of in looked]
    return [
        _at_turn(of, turn, grouped, seed, folds, bound_level)
        for turn in turns
        for of, grouped in zip(looked, clusters, strict=True)
    ]


def null_curve(
    a: Sequence[Dialogue],
    seed: int,
    max_turn: int | None = None,
    min_alive: int = 500,
    folds: int = 5,
    sets: Sequence[ContextSet] = ("words",),
    states: States | None = None,
) -> list[TwoSample]:
    """`shift_curve` of one half of a set, drawn at random, against the other: what no shift looks like.

    Dialogues about one task go to the same half, so that halves differ as two independent sets do.

    Args:
        min_alive: per half.

    Raises:
        UnderstudyError: as `two_sample_auc`.
    """
    rng = np.random.default_rng([seed, 1])
    clusters = dialogue_clusters(a, max(1, len(a) // 10))
    names, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    order = rng.permutation(len(names))
    first = np.zeros(len(names), dtype=bool)
    first[order] = np.cumsum(sizes[order]) <= len(a) // 2
    halves = [[d for d, i in zip(a, index, strict=True) if first[i] == wanted] for wanted in (True, False)]
    return shift_curve(halves[0], halves[1], seed, max_turn, min_alive, folds, sets, states)


def compare_contexts(
    a: Sequence[Context],
    b: Sequence[Context],
    matrix: Any,
    clusters: NDArray[np.int64],
    *,
    turn: int,
    seed: int,
    folds: int = 5,
    bound_level: float = 0.95,
) -> tuple[TwoSample, NDArray[np.float64]]:
    """One two-sample test, whatever the contexts are taken from, with the log-odds of each row by the classifier that did
    not see it.

    Args:
        matrix: [A + B, F] features, the rows of `a` first.
        clusters: [A + B] rows with the same number are dependent, and in one fold with their twins (see `fold_groups`).
        bound_level: of the one-sided bound `tv_low`; the interval of the AUC is at 95%.
    """
    contexts = [*a, *b]
    label = np.arange(len(contexts)) < len(a)
    groups = fold_groups(clusters, contexts, _largest_group(len(a), len(b), folds))
    fold = deal_folds(groups, label, folds, np.random.default_rng([seed, 0, turn]))
    scores = _cross_fitted_scores(matrix, label, fold)
    interval = cross_fitted_auc(scores, label, fold, clusters)
    tv, tv_low = total_variation_bound(scores > 0, label, clusters, bound_level)
    independent = min(effective_size(clusters[label]), effective_size(clusters[~label]))
    found = TwoSample(
        turn=turn,
        auc=interval.mean,
        low=interval.low,
        high=interval.high,
        n_a=len(a),
        n_b=len(b),
        alive_a=sum(c.alive for c in a),
        alive_b=sum(c.alive for c in b),
        tv_lower_bound=tv,
        tv_low=tv_low,
        p_value=permutation_p_value(matrix, label, fold, clusters, seed=seed),
        detectable=detectable_total_variation(independent, bound_level),
    )
    return found, scores


def _clusters(a: Sequence[Dialogue], b: Sequence[Dialogue], folds: int) -> NDArray[np.int64]:
    require_enough(len(a), len(b), folds)
    return dialogue_clusters([*a, *b], _largest_group(len(a), len(b), folds))


def require_enough(a: int, b: int, folds: int) -> None:
    """Refuse sets that are too small for this number of folds.

    Raises:
        UnderstudyError: if a set has fewer than `2 * folds` dialogues, or there are fewer than 2 folds.
    """
    if folds < 2 or min(a, b) < 2 * folds:
        raise UnderstudyError(
            f"a two-sample test in {folds} folds got {a} and {b} dialogues",
            where="context shift",
            fix=f"give at least {max(4, 2 * folds)} dialogues per set (a few hundred for a useful interval)",
        )


def _largest_group(a: int, b: int, folds: int) -> int:
    """Half of a fold of the smaller set, so that folds can be even and each training half has both samples."""
    return max(1, min(a, b) // (2 * folds))


def _at_turn(
    looked: Looked, turn: int, clusters: NDArray[np.int64], seed: int, folds: int, bound_level: float = 0.95
) -> TwoSample:
    a, b = looked.at(turn)
    matrix = looked.matrix(turn, [*a, *b])
    found, _ = compare_contexts(a, b, matrix, clusters, turn=turn, seed=seed, folds=folds, bound_level=bound_level)
    return replace(found, features=looked.name)


def _cross_fitted_scores(matrix: Any, label: NDArray[np.bool_], fold: NDArray[np.int64]) -> NDArray[np.float64]:
    """[N] log-odds of each row under the classifier that was fitted without its fold, classes weighted evenly."""
    from sklearn.linear_model import LogisticRegression

    scores = np.zeros(len(label))
    for k in np.unique(fold):
        held_out = fold == k
        # The dual solver: rows are far fewer than columns. Its random order is fixed, for equal results.
        model = LogisticRegression(C=PENALTY_C, solver="liblinear", dual=True, class_weight="balanced", random_state=0)
        model.fit(matrix[~held_out], label[~held_out])
        scores[held_out] = model.decision_function(matrix[held_out])
    return scores
