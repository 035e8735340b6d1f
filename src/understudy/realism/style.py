"""How users write, in a few plain figures: how much, how varied, how often they repeat themselves or walk out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from understudy.stats import Interval, binomial_interval, bootstrap_interval
from understudy.types import WALK_OUTS, Dialogue

BLOCK_WORDS = 500
"""distinct-n falls with the length of the text, so it is taken over blocks of this many words, equal for every set."""

WALK_OUT_SHARE = "walk-out share"
FIGURES = (
    "words per turn",
    "user turns",
    WALK_OUT_SHARE,
    "type-token ratio",
    "repeated messages",
    f"distinct-1 per {BLOCK_WORDS} words",
    f"distinct-2 per {BLOCK_WORDS} words",
)
"""Names of the figures, in the order of tables."""

_MISSING = Interval(float("nan"), float("nan"), float("nan"), 0)


def style_figures(dialogues: Sequence[Dialogue], *, seed: int) -> dict[str, Interval]:
    """The user side's figures by name, each a mean with its 95% interval.

    * `words per turn`: mean words of a user message with text.
    * `user turns`: user messages with text.
    * `walk-out share`: dialogues with an ending of `WALK_OUTS`; Wilson's interval.
    * `type-token ratio`: different words / words of one dialogue's user side.
    * `repeated messages`: share of user messages that the user had sent before, word for word, in the same dialogue.
    * `distinct-n`: different n-grams / n-grams (Li et al. 2016) per block of `BLOCK_WORDS` user words, dialogues in
      random order, n-grams within messages only.

    Words are split at spaces and case is ignored. The unit is a dialogue (a block for distinct-n), intervals are BCa
    bootstraps over units. A figure without a unit (no user text; less than one block) is nan with n = 0.

    Args:
        seed: of the order of dialogues and the bootstrap; the result is a function of the arguments.
    """
    rng = np.random.default_rng([seed, 0])
    return {name: _interval(name, values, rng) for name, values in _values(dialogues, rng).items()}


def _interval(name: str, values: NDArray[np.float64], rng: np.random.Generator) -> Interval:
    if not len(values):
        return _MISSING
    if name == WALK_OUT_SHARE:
        return binomial_interval(float(values.sum()), len(values))
    return bootstrap_interval(values, rng)


def _values(dialogues: Sequence[Dialogue], rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Each figure's values, one per unit; dialogues in which the user wrote nothing have only a walk-out."""
    said = [[m.text.lower().split() for m in d.messages if m.role == "user" and m.text.strip()] for d in dialogues]
    written = [messages for messages in said if messages]
    shuffled = [written[i] for i in rng.permutation(len(written))]
    values: tuple[list[float], ...] = (
        [float(np.mean([len(words) for words in messages])) for messages in written],
        [len(messages) for messages in said],
        [d.outcome.ending in WALK_OUTS for d in dialogues],
        [_distinct(messages, 1) for messages in written],
        [1 - len({tuple(words) for words in messages}) / len(messages) for messages in written],
        *([_distinct(block, n) for block in _blocks(shuffled)] for n in (1, 2)),
    )
    return {name: np.array(column, dtype=float) for name, column in zip(FIGURES, values, strict=True)}


def _distinct(messages: Sequence[Sequence[str]], n: int) -> float:
    grams = [tuple(words[i : i + n]) for words in messages for i in range(len(words) - n + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def _blocks(dialogues: Sequence[Sequence[Sequence[str]]]) -> list[list[Sequence[str]]]:
    """Messages cut into blocks of exactly `BLOCK_WORDS` words; a message may be cut in two, the rest is left out."""
    blocks: list[list[Sequence[str]]] = []
    block: list[Sequence[str]] = []
    room = BLOCK_WORDS
    for message in (m for messages in dialogues for m in messages):
        rest = message
        while rest:
            block.append(rest[:room])
            taken = len(block[-1])
            rest, room = rest[taken:], room - taken
            if not room:
                blocks.append(block)
                block, room = [], BLOCK_WORDS
    return blocks
