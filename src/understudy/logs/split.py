"""Splits of logs by person, so that nobody is met both in fitting and in judging."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from understudy.errors import LogError
from understudy.types import Dialogue


def split_by_person(dialogues: Iterable[Dialogue], shares: Mapping[str, float], seed: int) -> dict[str, list[Dialogue]]:
    """Assign each person, with all its dialogues, to one split.

    The result depends on the set of dialogues, the shares and the seed, not on the order of the input. Within a split
    the dialogues are in random order, so that the first n are a sample of it.

    Args:
        shares: name of the split -> its share of the persons, above 0; normalised to sum 1.
        seed: from 0.

    Raises:
        LogError: if a split gets no person, or a share is not a number above 0.
    """
    for name, share in shares.items():
        if not (math.isfinite(share) and share > 0):
            raise LogError(f"share {share} of split {name!r}", fix="give a share above 0, or leave the split out")
    everything = sorted(dialogues, key=lambda d: (d.task.id, d.person, [m.text for m in d.messages]))
    persons = sorted({d.person for d in everything})
    sizes = split_sizes(shares, len(persons))
    rng = np.random.default_rng(seed)
    place = {persons[index]: position for position, index in enumerate(rng.permutation(len(persons)))}
    mixed = [everything[index] for index in rng.permutation(len(everything))]
    result: dict[str, list[Dialogue]] = {}
    start = 0
    for name, size in sizes.items():
        if not size:
            raise LogError(
                f"split {name!r} (share {shares[name]:g}) is empty: there are only {len(persons)} persons in "
                f"{len(everything)} dialogues",
                fix=f"raise the share of {name!r}, or give logs of more persons",
            )
        result[name] = [d for d in mixed if start <= place[d.person] < start + size]
        start += size
    return result


def split_sizes(shares: Mapping[str, float], persons: int) -> dict[str, int]:
    """How many of so many persons each split gets, in the order of the shares (above 0)."""
    bounds = np.round(np.cumsum(list(shares.values())) / sum(shares.values()) * persons).astype(int)
    return dict(zip(shares, np.diff(bounds, prepend=0).tolist(), strict=True))
