"""What is known of a user model: what it was fitted on, and how far it is from people whom it never saw."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.align.sft import Epoch
from understudy.realism.by_turn import TurnFit
from understudy.realism.perplexity import Perplexity


@dataclass(frozen=True)
class UserCard:
    """What a user model was fitted on, and what was measured on people whom it never saw.

    Attributes:
        conversations: given to be fitted on; those of `validation_share` of the persons among them chose the epoch.
        held_out: conversations given to be measured on.
        cut, dropped: of both, how many did not fit the model's context whole, or at all.
        parameters: of the model.
        epochs: of the fit.
        perplexity: of the held-out people's messages.
        unigram: perplexity per token of a model that knows how often each token is said, and nothing else.
        turns: the same by turn, and when people and model leave.
    """

    conversations: int
    held_out: int
    cut: int
    dropped: int
    parameters: int
    epochs: list[Epoch]
    perplexity: Perplexity
    unigram: float
    turns: list[TurnFit]
