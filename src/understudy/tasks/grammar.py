"""Random text with an exactly known distribution.

An expression is a probability distribution over strings. It can be sampled, and `probability` sums over every
derivation of a given string, so that paraphrases and typos that meet in the same words are counted right.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np


class Expression(ABC):
    """A distribution over strings."""

    _asked: str | None = None
    _found: float = 0.0

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> str: ...

    @abstractmethod
    def match(self, text: str, start: int) -> dict[int, float]:
        """Map each `stop` to the probability that this expression writes exactly `text[start:stop]`."""

    def probability(self, text: str) -> float:
        """The probability of the whole string, in [0, 1], summed over all derivations."""
        # Many personas share an expression, and all are asked about the same reply.
        if self._asked != text:
            self._asked, self._found = text, self.match(text, 0).get(len(text), 0.0)
        return self._found


class Literal(Expression):
    """One fixed string."""

    def __init__(self, text: str) -> None:
        self.text = text

    def sample(self, rng: np.random.Generator) -> str:
        return self.text

    def match(self, text: str, start: int) -> dict[int, float]:
        return {start + len(self.text): 1.0} if text.startswith(self.text, start) else {}


class Choice(Expression):
    """One of several expressions; weights are normalised, equal if not given."""

    def __init__(self, options: Sequence[Expression], weights: Sequence[float] | None = None) -> None:
        if not options:
            raise ValueError("a choice needs at least one option")
        raw = np.ones(len(options)) if weights is None else np.asarray(weights, dtype=float)
        if len(raw) != len(options) or (raw < 0).any() or raw.sum() <= 0:
            raise ValueError(f"weights {weights} do not fit {len(options)} options")
        self.options = tuple(options)
        self.weights = tuple(raw / raw.sum())
        self._cumulative = np.cumsum(self.weights)

    def sample(self, rng: np.random.Generator) -> str:
        index = int(np.searchsorted(self._cumulative, rng.random(), side="right"))
        return self.options[min(index, len(self.options) - 1)].sample(rng)

    def match(self, text: str, start: int) -> dict[int, float]:
        total: dict[int, float] = {}
        for weight, option in zip(self.weights, self.options, strict=True):
            if weight:
                for stop, p in option.match(text, start).items():
                    total[stop] = total.get(stop, 0.0) + weight * p
        return total


class Concat(Expression):
    """Expressions written one after the other, independently."""

    def __init__(self, parts: Sequence[Expression]) -> None:
        self.parts = tuple(parts)

    def sample(self, rng: np.random.Generator) -> str:
        return "".join(part.sample(rng) for part in self.parts)

    def match(self, text: str, start: int) -> dict[int, float]:
        stops = {start: 1.0}
        for part in self.parts:
            following: dict[int, float] = {}
            for begin, p in stops.items():
                for stop, q in part.match(text, begin).items():
                    following[stop] = following.get(stop, 0.0) + p * q
            stops = following
            if not stops:
                break
        return stops


@lru_cache(maxsize=4096)
def typo_variants(word: str) -> tuple[tuple[str, float], ...]:
    """The misspellings of a word with their probabilities given that a typo happens.

    A slip swaps two neighbouring letters, drops a letter or doubles one, each place equally likely; the first letter is
    kept (people rarely miss it). Words under four letters have none.
    """
    if len(word) < 4 or not word.isalpha():
        return ()
    slips: Counter[str] = Counter()
    for i in range(1, len(word)):
        if i + 1 < len(word):
            slips[word[:i] + word[i + 1] + word[i] + word[i + 2 :]] += 1
        slips[word[:i] + word[i + 1 :]] += 1
        slips[word[:i] + word[i] + word[i:]] += 1
    del slips[word]
    total = sum(slips.values())
    return tuple((variant, count / total) for variant, count in sorted(slips.items()))


class Typed(Expression):
    """Words as a person types them: each word is misspelt with probability `typo`, independently."""

    def __init__(self, text: str, typo: float) -> None:
        words = text.split(" ")
        self._inner = Concat([part for i, word in enumerate(words) for part in self._word(word, typo, i)])

    @staticmethod
    def _word(word: str, typo: float, index: int) -> list[Expression]:
        space: list[Expression] = [Literal(" ")] if index else []
        variants = typo_variants(word)
        if not variants or typo <= 0:
            return [*space, Literal(word)]
        options = [Literal(word), *(Literal(variant) for variant, _ in variants)]
        return [*space, Choice(options, [1 - typo, *(typo * p for _, p in variants)])]

    def sample(self, rng: np.random.Generator) -> str:
        return self._inner.sample(rng)

    def match(self, text: str, start: int) -> dict[int, float]:
        return self._inner.match(text, start)
