"""What tells a speaker's messages from the logged ones, in words: for reading, not for inference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from understudy.one_step import OneStep
from understudy.types import Message

LEAVES = "<leaves>"
_MIN_COUNT = 5


@dataclass(frozen=True, slots=True)
class Telling:
    """A run of one or two words (or leaving), and the share of messages that hold it.

    Attributes:
        words: as written, lower case.
        logged, own: in the logs, and in what the speaker said in the same contexts.
        z: of the difference of the two shares, above 0 where the logs hold it more often.
    """

    words: str
    logged: float
    own: float
    z: float


@dataclass(frozen=True, slots=True)
class TellingContext:
    """A run of words in the message that is answered, after which the speaker is told from the logs most surely.

    Attributes:
        words: as written, lower case.
        steps: contexts that hold it.
        margin: mean margin in them (see `ToldApart`), `elsewhere` in the others.
    """

    words: str
    steps: int
    margin: float
    elsewhere: float


def telling_words(steps: Sequence[OneStep], *, count: int = 8) -> list[Telling]:
    """The runs of words with the largest differences, most telling first.

    Runs in fewer than 5 messages are left out, and those whose difference chance would show once in 20 such lists.
    """
    n = len(steps)
    logged, own = (_shares(steps, said) for said in (lambda s: s.logged, lambda s: s.message))
    found = []
    for words in {*logged, *own}:
        a, b = len(logged.get(words, ())), len(own.get(words, ()))
        if a + b >= _MIN_COUNT:
            pooled = (a + b) / (2 * n)
            error = math.sqrt(max(1e-12, pooled * (1 - pooled)) * 2 / n)
            found.append(Telling(words, a / n, b / n, (a - b) / n / error))
    clear = [t for t in found if abs(t.z) > _threshold(len(found))]
    return _without_parts(sorted(clear, key=lambda t: (-abs(t.z), t.words)), count)


def telling_contexts(steps: Sequence[OneStep], margins: NDArray[np.float64], *, count: int = 5) -> list[TellingContext]:
    """The runs of words in the message answered with the largest excess of the margin, as clear as for `telling_words`."""
    places = _shares(steps, lambda s: s.before[-1] if s.before else Message(s.logged.role, ""))
    spread = float(margins.std()) or 1.0
    found = []
    for words, held in places.items():
        if not _MIN_COUNT <= len(held) <= len(steps) - _MIN_COUNT:
            continue
        inside = np.zeros(len(steps), dtype=bool)
        inside[held] = True
        here, there = float(margins[inside].mean()), float(margins[~inside].mean())
        z = (here - there) / (spread * math.sqrt(1 / len(held) + 1 / (len(steps) - len(held))))
        found.append((z, TellingContext(words, len(held), here, there)))
    ordered = sorted(found, key=lambda item: (-item[0], item[1].words))
    return [context for z, context in ordered[:count] if z > _threshold(len(found))]


def _threshold(looked_at: int) -> float:
    """Of |z|, two-sided at 5% for all that was looked at together (Bonferroni)."""
    from scipy.special import ndtri

    return float(ndtri(1 - 0.025 / max(1, looked_at)))


def _shares(steps: Sequence[OneStep], said: Callable[[OneStep], Message]) -> dict[str, list[int]]:
    """Which steps hold each run of words, once each."""
    found: dict[str, list[int]] = {}
    for place, step in enumerate(steps):
        for words in set(_runs(said(step))):
            found.setdefault(words, []).append(place)
    return found


def _runs(message: Message) -> Iterator[str]:
    words = message.text.lower().split()
    yield from words
    yield from (f"{a} {b}" for a, b in pairwise(words))
    if message.end:
        yield LEAVES


def _without_parts(ordered: Iterable[Telling], count: int) -> list[Telling]:
    """The first few, leaving out what shares a word with one before that differs the same way: it says it again."""
    kept: list[Telling] = []
    for one in ordered:
        again = any(set(one.words.split()) & set(k.words.split()) and (one.z > 0) == (k.z > 0) for k in kept)
        if not again:
            kept.append(one)
        if len(kept) == count:
            break
    return kept
