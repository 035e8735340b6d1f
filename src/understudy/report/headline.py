"""What came out, as a sentence made from the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from understudy.report.summary import FamilySummary


def headline(families: Sequence[FamilySummary]) -> str:
    """How much calibrated recovered on each task, and how often interactive ended below the base, as far as is known."""
    parts = [part for part in (_calibrated(families), _interactive(families)) if part]
    if not parts:
        return "No two arms that belong together have been judged yet."
    sentence = "; ".join(parts) + "."
    return sentence[0].upper() + sentence[1:]


def _calibrated(families: Sequence[FamilySummary]) -> str | None:
    shares, flat, gains = [], [], []
    for family in families:
        arm = family.arms.get("calibrated")
        if arm is None:
            continue
        if arm.recovered is None:
            gain = next((d for d in family.differences if (d.first, d.second) == ("calibrated", "base")), None)
            if gain:
                gains.append(f"{gain.interval.mean:+.{family.digits}f} {family.reward_name} over base on {family.family}")
        elif math.isfinite(arm.recovered.mean):
            shares.append((f"{100 * arm.recovered.mean:.0f}%", family.family))
        else:
            flat.append(family.family)
    parts = []
    if shares:
        first, *others = shares
        listed = [f"{first[0]} of the oracle's gain on {first[1]}", *(f"{share} on {name}" for share, name in others)]
        parts.append(f"calibrated recovered {join(listed)}")
    if gains:
        parts.append(f"calibrated made {join(gains)}")
    if flat:
        parts.append(f"on {join(flat)} the oracle's gain over base is not clear, so no share of it can be given")
    return "; ".join(parts) or None


def _interactive(families: Sequence[FamilySummary]) -> str | None:
    gaps = [d.interval for f in families for d in f.differences if (d.first, d.second) == ("interactive", "base")]
    if not gaps:
        return None
    below = sum(gap.mean < 0 for gap in gaps)
    if len(gaps) == 1:
        return f"interactive ended {'below' if below else 'no lower than'} base"
    return f"interactive ended below base on {below} of {len(gaps)} tasks"


def join(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
