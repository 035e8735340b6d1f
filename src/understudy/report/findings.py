"""What came out, in sentences: nothing is fixed beforehand, every claim follows from the summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from understudy.report.by_turn import ShiftSources, TurnTest
from understudy.report.summary import FamilySummary, Summary
from understudy.report.words import number, percent, percent_between
from understudy.shift.verdict import turns_in_words

Standing = Literal["above", "below", "not clearly apart from"]


def standing(family: FamilySummary, arm: str, other: str) -> Standing | None:
    """Where `arm` ended against `other` at tuned decoding; None if either was not judged.

    Above or below only where the data say so: the t interval of the paired difference excludes 0, or, with one seed, the
    two bootstrap intervals over dialogues do not meet.
    """
    difference, a, b = family.difference(arm, other), family.row(arm), family.row(other)
    if difference is None or a is None or b is None:
        return None
    estimate = difference.estimate
    apart = estimate.excludes(0)
    if len(a.seeds) == len(b.seeds) == 1:
        x, y = a.rewards["tuned"], b.rewards["tuned"]
        apart = x.low > y.high or x.high < y.low
    if not apart:
        return "not clearly apart from"
    return "above" if estimate.mean > 0 else "below"


def headline(summary: Summary) -> str:
    """One sentence for the top of the page; families judged by a referee count only where there are no others."""
    families = [f for f in summary.families if not f.referee] or list(summary.families)
    parts = [part for part in (_calibrated(families), _against_base(families, "interactive")) if part]
    if not parts:
        best = [(f, max(f.arms, key=lambda row: row.rewards["tuned"].mean)) for f in families]
        listed = ", ".join(
            f"{row.arm} ({number(row.rewards['tuned'].mean, f.reward_max, 2)} on {f.name})" for f, row in best
        )
        return f"Best so far: {listed}."
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."


def _calibrated(families: Sequence[FamilySummary]) -> str:
    rows = [row for f in families if (row := f.row("calibrated")) is not None]
    shares = [row.recovered["tuned"].mean for row in rows if "tuned" in row.recovered]
    finite = [share for share in shares if math.isfinite(share)]
    if not finite:
        if shares:
            return "the oracle's gain over base is not significant, so no share of it can be given"
        return _against_base(families, "calibrated")
    where = ""
    if len(families) > 1:
        where = (
            f" on {len(finite)} tasks"
            if len(finite) == len(families)
            else f" on {len(finite)} of {len(families)} tasks"
        )
    if max(finite) <= 0:
        if any(standing(family, "calibrated", "base") == "below" for family in families):
            return _against_base(families, "calibrated")
        return f"calibrated recovered nothing of the oracle's gain{where}"
    low, high = percent(min(finite)), percent(max(finite))
    share = high if low == high else f"{low} to {high}"
    return f"calibrated recovered {share} of the oracle's gain{where}"


def _against_base(families: Sequence[FamilySummary], arm: str) -> str:
    found = [s for f in families if (s := standing(f, arm, "base")) is not None]
    if not found:
        return ""
    if len(families) == 1:
        return f"{arm} ended {found[0]} base"
    counts = {word: found.count(word) for word in ("below", "not clearly apart from", "above") if word in found}
    if len(counts) == 1 and len(found) == len(families):
        return f"{arm} ended {found[0]} base on all of them"
    return f"{arm} ended " + ", ".join(f"{word} base on {count}" for word, count in counts.items())


def shift_verdicts(sources: Mapping[str, ShiftSources], people: str) -> list[tuple[str, str]]:
    """By arm, in words: what its policy and what the aligned user lead to, where every seed's test shows it, and what to do."""
    return [
        (arm, f"{_policy(found.policy, people)} {_simulator(found.simulator, people)}")
        for arm, found in sources.items()
    ]


def _policy(tests: Mapping[int, TurnTest], people: str) -> str:
    if not tests:
        return "Too few dialogues to compare its contexts with the logs at any turn."
    if shown := _shown(tests):
        return f"With {people} it comes to other contexts than the logs hold {shown}: train it on its own."
    return "Its contexts were not told from those of the logs."


def _simulator(tests: Mapping[int, TurnTest], people: str) -> str:
    if not tests:
        return "Too few dialogues to compare the aligned user at any turn."
    if shown := _shown(tests):
        what = "align the user more, or collect dialogues of this agent at these turns"
        return f"The aligned user leads it elsewhere than {people} do {shown}: {what}."
    return f"What the aligned user leads it to was not told from what {people} lead it to."


def _shown(tests: Mapping[int, TurnTest]) -> str:
    """At which turns every seed's test shows a difference, and the largest; empty where at none."""
    bounds = {turn: test.tv_low for turn, test in tests.items() if test.shown_in == test.seeds}
    if not bounds:
        return ""
    worst = max(bounds, key=lambda turn: bounds[turn])
    return (
        f"at {turns_in_words(bounds)}, by a total variation of at least {number(bounds[worst], 1, 2)} at turn {worst}"
    )


def findings(family: FamilySummary) -> list[str]:
    """A few sentences on one family: the recovered share, and reward in training against judged reward."""
    scale = family.reward_max
    sentences = []
    calibrated, interactive, base = family.row("calibrated"), family.row("interactive"), family.row("base")
    share = calibrated.recovered.get("tuned") if calibrated else None
    if share and math.isfinite(share.mean):
        interval = percent_between(share)
        inside = f" (95% interval {interval})" if interval else ""
        sentences.append(f"Calibrated recovered {percent(share.mean)}{inside} of the oracle's gain at tuned decoding.")
    ended = standing(family, "interactive", "base")
    if interactive and base and ended:
        reached, start = (number(row.rewards["tuned"].mean, scale, 2) for row in (interactive, base))
        sentences.append(f"Interactive ended {ended} base ({reached} against {start}).")
    for row in (interactive, calibrated):
        if row and row.in_training and "T=1" in row.rewards:
            promised, real = (number(e.mean, scale, 2) for e in (row.in_training, row.rewards["T=1"]))
            sentences.append(
                f"Sampled at T=1, {row.arm}'s reward was {promised} in training and {real} with {family.people}."
            )
    return sentences
