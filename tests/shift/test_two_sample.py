"""The two-sample test: calibrated where there is no shift, right where the shift is known, blind to no kind of it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from understudy.errors import UnderstudyError
from understudy.shift.auc import cross_fitted_auc, total_variation_bound
from understudy.shift.contexts import contexts_at_turn
from understudy.shift.folds import deal_folds, dialogue_clusters, fold_groups
from understudy.shift.two_sample import null_curve, shift_curve, two_sample_auc
from understudy.types import Dialogue, Message, Outcome, Task

WORDS = np.array([f"w{i}" for i in range(200)])
ZIPF = 1 / np.arange(1, 201)
ZIPF /= ZIPF.sum()


def made(texts: list[str], name: str, ending: str = "turns") -> Dialogue:
    """User and agent in turn; `ending` left when the user left after its words."""
    roles = ("user", "agent")
    messages = tuple(Message(roles[i % 2], text) for i, text in enumerate(texts))
    return Dialogue(Task("f", name, "", "", {}), name, messages, Outcome(0.0, ending))


def chatter(rng: np.random.Generator, name: str, turns: int = 2) -> Dialogue:
    return made([" ".join(rng.choice(WORDS, 8, p=ZIPF)) for _ in range(2 * turns)], name)


def test_calibrated_without_a_shift() -> None:
    # 100 pairs of independent sets of one source. At 95% nominal the share that contains .5 has a standard error of 2.2
    # points; .88 is 3 errors below. Without the factor for cross-fitting, coverage is about .77 here.
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        a, b = ([chatter(rng, f"{side}{i}") for i in range(50)] for side in "ab")
        found.append(two_sample_auc(a, b, seed % 2, seed=seed))
    assert np.mean([x.low <= 0.5 <= x.high for x in found]) >= 0.88
    # The mean of 100 AUCs with a standard deviation of .075 each: 4 standard errors are .03. Scores pooled over folds
    # are pushed below .5.
    assert np.mean([x.auc for x in found]) == pytest.approx(0.5, abs=0.03)
    # One-sided at 95%: 5 expected, 13 is 3.7 standard errors above.
    assert sum(x.tv_low > 0 for x in found) <= 13


def coin(n: int, share: float, side: str) -> list[Dialogue]:
    """Openings `yes please` (a share, exactly) or `no thanks`: the classifier can only learn their shares."""
    return [made(["yes please" if i < share * n else "no thanks", "ok"], f"{side}{i}") for i in range(n)]


def test_known_auc_of_a_planted_shift() -> None:
    # Likelihood-ratio AUC of .7 against .3: .7 * .7 + half of the ties (.7 * .3 * 2) = .7; total variation .4.
    found = two_sample_auc(coin(400, 0.7, "a"), coin(400, 0.3, "b"), 0, seed=0)
    # The shares are exact, folds hold them nearly so.
    assert found.auc == pytest.approx(0.7, abs=0.01)
    assert found.low < 0.7 < found.high
    assert found.tv_lower_bound == pytest.approx(0.4, abs=1e-9)
    # One-sided standard error of a difference of shares at half the sample: sqrt(2 * .21 / 200) = .046, times 1.645.
    assert found.tv_low == pytest.approx(0.4 - 0.075, abs=0.02)


def test_a_shift_of_endings_alone_is_seen() -> None:
    # Same words; half of `a` and a fifth of `b` left after turn 0: AUC .5 + .3 / 2.
    def some(n: int, leavers: int, side: str) -> list[Dialogue]:
        return [
            made(["hello", "hi", "bye"], f"{side}{i}", "left")
            if i < leavers
            else made(["hello", "hi", "more", "ok"], f"{side}{i}")
            for i in range(n)
        ]

    before, after = shift_curve(some(300, 150, "a"), some(300, 60, "b"), seed=0, min_alive=100)
    assert before.auc == 0.5
    assert after.auc == pytest.approx(0.65, abs=0.01)
    assert after.low > 0.5
    assert (after.n_a, after.n_b, after.alive_a, after.alive_b) == (300, 300, 150, 240)


def test_how_a_dialogue_ended_counts_but_not_its_last_words() -> None:
    a = [made(["hello", "hi", f"bye {i} now"], f"a{i}", "left") for i in range(60)]
    same = [made(["hello", "hi", "farewell my friend"], f"b{i}", "left") for i in range(60)]
    other = [replace(d, outcome=Outcome(0.0, "approved")) for d in same]
    assert two_sample_auc(a, same, 1, seed=0).auc == 0.5
    apart = two_sample_auc(a, other, 1, seed=0)
    assert apart.auc == apart.high == 1
    # 60 independent pairs all right: the lower bound is .025 ** (1 / 60).
    assert apart.low == pytest.approx(0.025 ** (1 / 60))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_words_of_every_earlier_message_are_looked_at(position: int) -> None:
    rng = np.random.default_rng(0)
    a, b = ([chatter(rng, f"{side}{i}", turns=2) for i in range(120)] for side in "ab")

    def marked(d: Dialogue) -> Dialogue:
        messages = list(d.messages)
        messages[position] = replace(messages[position], text=messages[position].text + " absolutely")
        return replace(d, messages=tuple(messages))

    assert two_sample_auc([marked(d) for d in a], b, 1, seed=0).low > 0.8


def test_a_copied_sample_has_auc_of_exactly_a_half() -> None:
    rng = np.random.default_rng(0)
    a = [chatter(rng, f"a{i}") for i in range(60)]
    renamed = [replace(d, task=replace(d.task, id="copy of " + d.task.id)) for d in a]
    for b in (a, renamed):
        found = two_sample_auc(a, b, 1, seed=0)
        assert found.auc == 0.5
        assert found.low <= 0.5 <= found.high


def test_same_arguments_same_result() -> None:
    rng = np.random.default_rng(0)
    a, b = ([chatter(rng, f"{side}{i}") for i in range(30)] for side in "ab")
    curve = shift_curve(a, b, seed=4, min_alive=30)
    assert curve == shift_curve(a, b, seed=4, min_alive=30)
    assert curve != shift_curve(a, b, seed=5, min_alive=30)
    alone = [two_sample_auc(a, b, turn, seed=4) for turn in (0, 1)]
    # Of a curve the bounds hold for both turns together, else for the one.
    assert [replace(p, tv_low=q.tv_low, detectable=q.detectable) for p, q in zip(curve, alone, strict=True)] == alone
    assert all(p.detectable > q.detectable and p.tv_low <= q.tv_low for p, q in zip(curve, alone, strict=True))


def test_curve_stops_where_too_few_are_alive() -> None:
    rng = np.random.default_rng(0)
    long = [chatter(rng, f"a{i}", turns=3) for i in range(40)]
    short = [chatter(rng, f"b{i}", turns=3 if i < 10 else 2) for i in range(40)]
    assert [x.turn for x in shift_curve(long, short, seed=0, min_alive=20)] == [0, 1]
    assert [x.turn for x in shift_curve(long, short, seed=0, min_alive=10)] == [0, 1, 2]
    assert [x.turn for x in shift_curve(long, short, seed=0, max_turn=0, min_alive=10)] == [0]
    assert shift_curve(long, short, seed=0, min_alive=41) == []


def test_null_curve_compares_two_halves() -> None:
    rng = np.random.default_rng(1)
    dialogues = [chatter(rng, f"a{i}") for i in range(101)]
    curve = null_curve(dialogues, seed=0, min_alive=50)
    assert [(x.turn, x.n_a, x.n_b) for x in curve] == [(0, 50, 51), (1, 50, 51)]
    # Twenty splits of one set: a standard deviation of about .08 each, 4 standard errors of their mean are .07.
    many = [null_curve(dialogues, seed=seed, max_turn=0, min_alive=50)[0].auc for seed in range(20)]
    assert np.mean(many) == pytest.approx(0.5, abs=0.07)
    assert len(set(many)) > 10


def test_too_few_dialogues_is_a_clear_error() -> None:
    few = [made(["hi", "ok"], f"{i}") for i in range(9)]
    with pytest.raises(UnderstudyError, match=r"got 9 and 9 dialogues(.|\n)*at least 10"):
        two_sample_auc(few, few, 0, seed=0)


def test_folds_keep_tasks_and_twins_together_and_samples_even() -> None:
    rng = np.random.default_rng(0)
    # Each task twice in `a`; every tenth opening is copied into `b` under another task.
    a = [replace(chatter(rng, f"a{i}"), task=Task("f", f"a{i // 2}", "", "", {})) for i in range(100)]
    b = [chatter(rng, f"b{i}") for i in range(100)]
    twins = [replace(d, task=Task("f", f"twin{i}", "", "", {}), person=f"twin{i}") for i, d in enumerate(a[::10])]
    b[::10] = twins
    label = np.arange(200) < 100
    clusters = dialogue_clusters([*a, *b], limit=10)
    groups = fold_groups(clusters, contexts_at_turn([*a, *b], 1), limit=10)
    fold = deal_folds(groups, label, 5, np.random.default_rng(0))
    assert len(set(clusters)) == 150
    assert (fold[0:100:2] == fold[1:100:2]).all()
    assert (fold[0:100:10] == fold[100:200:10]).all()
    for side in (label, ~label):
        counts = np.bincount(fold[side], minlength=5)
        assert counts.max() - counts.min() <= 2


def test_dialogues_of_one_person_depend_on_each_other() -> None:
    rng = np.random.default_rng(0)
    logs = [replace(chatter(rng, f"t{i}"), person=f"p{i // 5}") for i in range(100)]
    clusters = dialogue_clusters(logs, limit=10)
    assert [len(set(clusters[i : i + 5])) for i in range(0, 100, 5)] == [1] * 20
    assert len(set(clusters)) == 20
    # A person who held more dialogues than a fold can take is left untied.
    assert len(set(dialogue_clusters([replace(d, person="p") for d in logs], limit=10))) == 100


def test_a_common_text_and_a_missing_task_id_are_not_tied() -> None:
    same = [made(["hello", "hi"], "") for _ in range(100)]
    assert len(set(dialogue_clusters(same, limit=10))) == 100
    assert len(set(fold_groups(np.arange(100), contexts_at_turn(same, 0), limit=10))) == 100


def test_auc_compares_within_folds_only() -> None:
    # Both folds are in perfect order, on scales that do not overlap: pooled, the AUC would be .75.
    scores = np.array([1.0, 0.0, 11.0, 10.0])
    label = np.array([True, False, True, False])
    found = cross_fitted_auc(scores, label, np.array([0, 0, 1, 1]), np.arange(4))
    assert found.mean == 1
    ties = cross_fitted_auc(np.zeros(4), label, np.array([0, 0, 1, 1]), np.arange(4))
    assert (ties.mean, ties.low, ties.high) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="only one"):
        cross_fitted_auc(scores, label, np.array([0, 1, 0, 1]), np.arange(4))


def test_repeated_rows_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.5, 1, 50), rng.normal(0, 1, 50)])
    label, fold = np.arange(100) < 50, np.zeros(100, dtype=np.int64)
    once = cross_fitted_auc(scores, label, fold, np.arange(100))
    six = [np.repeat(x, 6) for x in (scores, label, fold, np.arange(100))]
    again = cross_fitted_auc(*six)
    assert again.mean == pytest.approx(once.mean)
    assert again.high - again.low == pytest.approx(once.high - once.low, rel=1e-6)
    assert total_variation_bound(six[0] > 0.2, six[1], six[3]) == pytest.approx(
        total_variation_bound(scores > 0.2, label, np.arange(100))
    )


def test_interval_has_delongs_width_times_the_cross_fitting_factor() -> None:
    # Normal scores one standard deviation apart; Hanley and McNeil's formula is within some per cent of DeLong's here.
    rng = np.random.default_rng(0)
    n = 2000
    scores = np.concatenate([rng.normal(1, 1, n), rng.normal(0, 1, n)])
    found = cross_fitted_auc(scores, np.arange(2 * n) < n, np.zeros(2 * n, dtype=np.int64), np.arange(2 * n))
    auc = found.mean
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (n - 1) * (q1 - auc**2) + (n - 1) * (q2 - auc**2)) / n**2
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * math.sqrt(2 * variance), rel=0.05)
