"""What classifiers are shown of contexts: sets of features, each fixed beforehand."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.shift.conduct import conduct
from understudy.shift.contexts import Context, contexts_at_turn
from understudy.shift.features import ContextFeatures, figures_matrix
from understudy.types import Dialogue, Message

ContextSet = Literal["words", "conduct", "states"]
"""`words`: n-grams (`ContextFeatures`). `conduct`: how the user conducts itself, whatever the words (`conduct`). `states`: what
the model at hand makes of a context (`understudy.models.states.context_states`)."""
States = Callable[[Sequence[tuple[str, Sequence[Message]]]], NDArray[np.float64]]
"""From a side's prompt and what was said, what the model makes of it: [N, F], one row each."""

_MOST_STATES = 500
"""Dialogues of each sample whose states are looked at: a forward pass over each costs more than counting its words."""


@dataclass(frozen=True)
class Looked:
    """One set of features, and the dialogues of both samples that it is taken from.

    Attributes:
        matrix: of the contexts of `a`, then those of `b`, which are given, at one turn: [A + B, F].
    """

    name: ContextSet
    a: Sequence[Dialogue]
    b: Sequence[Dialogue]
    matrix: Callable[[int, Sequence[Context]], Any]

    def at(self, turn: int) -> tuple[list[Context], list[Context]]:
        """The contexts of both samples at a turn of the agent."""
        return contexts_at_turn(self.a, turn), contexts_at_turn(self.b, turn)


def look_at(
    name: ContextSet, a: Sequence[Dialogue], b: Sequence[Dialogue], turns: Sequence[int], states: States | None = None
) -> Looked:
    """A set of features for these turns.

    Args:
        states: what makes the set `states`, of which up to 500 dialogues of each sample are looked at.

    Raises:
        ValueError: if `states` are wanted and there is nothing that makes them.
    """
    if name == "words":
        # What stands in the last context of a dialogue holds all its earlier ones: each message is hashed once.
        every = [context for turn in turns for dialogues in (a, b) for context in contexts_at_turn(dialogues, turn)]
        features = ContextFeatures(every)
        return Looked(name, a, b, lambda turn, contexts: features.matrix(contexts))
    if name == "conduct":
        return Looked(name, a, b, lambda turn, contexts: _sparse(contexts, np.array([conduct(c) for c in contexts])))
    if states is None:
        raise ValueError("the set `states` needs what makes them")
    few_a, few_b = _few(a), _few(b)
    made = _states([*few_a, *few_b], turns, states)
    return Looked(name, few_a, few_b, lambda turn, contexts: _sparse(contexts, made[turn]))


def _few(dialogues: Sequence[Dialogue]) -> Sequence[Dialogue]:
    """Those that come first in an order that depends on their tasks alone: two samples about the same tasks keep the same ones,
    whatever order they are in themselves.
    """
    return sorted(dialogues, key=lambda d: zlib.crc32(d.task.id.encode()))[:_MOST_STATES]


def _states(dialogues: Sequence[Dialogue], turns: Sequence[int], states: States) -> dict[int, NDArray[np.float64]]:
    """[D, F] by turn, zeros where a dialogue has ended; all are asked for at once, as what stands before one turn stands before
    all later ones.
    """
    contexts = {turn: contexts_at_turn(dialogues, turn) for turn in turns}
    alive = [(turn, i) for turn in turns for i, context in enumerate(contexts[turn]) if context.alive]
    found = states([(dialogues[i].task.agent_prompt, contexts[turn][i].messages) for turn, i in alive])
    figures = {turn: np.zeros((len(dialogues), found.shape[1])) for turn in turns}
    for (turn, i), state in zip(alive, found, strict=True):
        figures[turn][i] = state
    return figures


def _sparse(contexts: Sequence[Context], figures: NDArray[np.float64]) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix(figures_matrix(contexts, figures))
