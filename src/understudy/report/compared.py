"""Arms against each other over the seeds that they share: paired differences, and shares of the oracle's gain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from understudy.report.estimate import Estimate, from_interval
from understudy.results import ArmResult
from understudy.stats import Interval, paired_difference, recovered

DECODINGS = ("T=1", "tuned", "greedy")

PAIRS = (
    ("calibrated", "static"),
    ("calibrated", "multiturn-aware"),
    ("calibrated", "interactive"),
    ("calibrated", "base"),
    ("multiturn-aware", "static"),
    ("interactive", "base"),
    ("control", "base"),
)
"""Which arms are compared by paired differences over seeds."""

Judged = Mapping[str, Mapping[int, ArmResult]]
"""The results of one family by arm and seed."""


@dataclass(frozen=True)
class Difference:
    """`arm - other` at one decoding, paired over the seeds that both have.

    Attributes:
        by_seed: the difference of each.
    """

    arm: str
    other: str
    decoding: str
    estimate: Estimate
    by_seed: Mapping[int, float]


def differences(judged: Judged) -> tuple[Difference, ...]:
    """Of `PAIRS`, at each decoding that both arms were judged at."""
    found = []
    for arm, other in PAIRS:
        for decoding in DECODINGS:
            if seeds := _shared(judged, decoding, arm, other):
                mine, theirs = (_rewards(judged[name], decoding, seeds) for name in (arm, other))
                estimate = from_interval(paired_difference(mine, theirs))
                by_seed = {seed: a - b for seed, a, b in zip(seeds, mine, theirs, strict=True)}
                found.append(Difference(arm, other, decoding, estimate, by_seed))
    return tuple(found)


def recovered_shares(arm: str, judged: Judged) -> dict[str, Estimate]:
    """`(J_arm - J_base) / (J_oracle - J_base)` by decoding; NaN where the oracle's gain is not significant.

    Empty for these two themselves, and without them.
    """
    shares: dict[str, Estimate] = {}
    if arm in ("base", "oracle"):
        return shares
    for decoding in DECODINGS:
        seeds = _shared(judged, decoding, arm, "base", "oracle")
        if len(seeds) == 1 and not _gained(judged, decoding, seeds[0]):
            shares[decoding] = from_interval(Interval(math.nan, math.nan, math.nan, 1))
        elif seeds:
            mine, base, oracle = (_rewards(judged[name], decoding, seeds) for name in (arm, "base", "oracle"))
            shares[decoding] = from_interval(recovered(mine, base, oracle).interval)
    return shares


def _gained(judged: Judged, decoding: str, seed: int) -> bool:
    """One seed cannot be tested over seeds; its dialogues tell whether the oracle has a gain to have a share of."""
    base, oracle = (judged[name][seed].decoding[decoding] for name in ("base", "oracle"))
    return oracle.low > base.high


def _shared(judged: Judged, decoding: str, *arms: str) -> list[int]:
    """Seeds in which all these arms were judged at this decoding."""
    first, *others = (
        [seed for seed, result in judged.get(arm, {}).items() if decoding in result.decoding] for arm in arms
    )
    return [seed for seed in first if all(seed in seeds for seeds in others)]


def _rewards(results: Mapping[int, ArmResult], decoding: str, seeds: list[int]) -> list[float]:
    return [results[seed].decoding[decoding].reward for seed in seeds]
