"""Features of a context for two-sample classifiers. Fixed beforehand: nothing here is fitted, chosen or looked at."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.shift.contexts import Context
from understudy.types import Message

WORD_BITS = 12
"""Each block of words has 2**WORD_BITS hashed columns."""
_ENDINGS = 32
_ROW_LENGTH = 4.0
_TOKEN = r"[^\s]+"


class ContextFeatures:
    """Contexts -> sparse rows; every distinct message is hashed once, a context is a sum over its messages.

    Columns: word 1- and 2-gram counts of (1) the last message, which in an agent's context is the user's, (2) the user's
    earlier messages, (3) the agent's (earlier) messages, as log(1 + count), n-grams within messages only; then messages of
    each side and words per message; then one column for each ending. A context that has ended has its ending's column and
    nothing else.
    """

    def __init__(self, contexts: Sequence[Context]) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer

        self._rows: dict[str, int] = {}
        for context in contexts:
            for message in context.messages:
                self._rows.setdefault(message.text, len(self._rows))
        hashing = HashingVectorizer(
            n_features=2**WORD_BITS, ngram_range=(1, 2), token_pattern=_TOKEN, norm=None, alternate_sign=False
        )
        # One more, empty row, so that a matrix exists where nobody has spoken yet.
        self._grams = hashing.transform([*self._rows, ""])
        self._words = np.array([*(len(text.split()) for text in self._rows), 0], dtype=float)

    def matrix(self, contexts: Sequence[Context]) -> Any:
        """[N, F] in CSR form, rows in the order of `contexts` (whose messages were given to the constructor)."""
        from scipy.sparse import csr_matrix, hstack

        parts = [_split(context) for context in contexts]
        blocks = [self._sum([part[block] for part in parts]) for block in range(3)]
        for block in blocks:
            block.data = np.log1p(block.data)
        # Scaled to the size of a word's count, so that one penalty fits all columns.
        figures = np.array(
            [
                [np.log1p(len(side)) for side in (last + earlier, agent)]
                + [np.log1p(self._mean_words(side)) for side in (last, earlier, agent)]
                for last, earlier, agent in parts
            ]
        )
        return hstack([*blocks, csr_matrix(figures), csr_matrix(ending_columns(contexts))], format="csr")

    def _sum(self, groups: list[list[Message]]) -> Any:
        from scipy.sparse import csr_matrix

        columns = [self._rows[message.text] for group in groups for message in group]
        starts = np.cumsum([0, *(len(group) for group in groups)])
        chosen = csr_matrix((np.ones(len(columns)), columns, starts), shape=(len(groups), self._grams.shape[0]))
        return (chosen @ self._grams).tocsr()

    def _mean_words(self, messages: list[Message]) -> float:
        return float(np.mean([self._words[self._rows[m.text]] for m in messages])) if messages else 0.0


def ending_columns(contexts: Sequence[Context]) -> NDArray[np.float64]:
    """[N, 32] a column for each ending, hashed; 0 for contexts that are alive."""
    columns = np.zeros((len(contexts), _ENDINGS))
    for row, context in enumerate(contexts):
        if not context.alive:
            columns[row, zlib.crc32(context.ended.encode()) % _ENDINGS] = 1.0
    return columns


def even_columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, F] with a mean of 0 and one variance in each column, such that a row is about as long as one of a few words' counts:
    one penalty then fits all sets of features.
    """
    spread = values.std(0) + 1e-9
    scaled: NDArray[np.float64] = (values - values.mean(0)) / spread / np.sqrt(values.shape[1] / _ROW_LENGTH**2)
    return scaled


def figures_matrix(contexts: Sequence[Context], figures: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, F + 32] the figures of contexts that are alive, as `even_columns`, and the endings of the others.

    Args:
        figures: [N, F], of which the rows of ended contexts are not looked at.
    """
    alive = np.array([context.alive for context in contexts])
    scaled = np.zeros_like(figures)
    if alive.any():
        scaled[alive] = even_columns(figures[alive])
    return np.hstack([scaled, ending_columns(contexts)])


def _split(context: Context) -> tuple[list[Message], list[Message], list[Message]]:
    """The last message (none or one), the user's earlier ones, the agent's earlier ones."""
    *earlier, last = context.messages or (None,)
    user, agent = ([m for m in earlier if m is not None and m.role == role] for role in ("user", "agent"))
    return [last] if last is not None else [], user, agent
