"""What is known of a user model: what it was fitted on, and how far it is from people whom it never saw.

Records alone, without any model: a page is made of them where no model is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from understudy.stats import Interval


@dataclass(frozen=True, slots=True)
class TurnFit:
    """One turn of the user, over the held-out dialogues that reached it.

    Attributes:
        turn: messages that the user had written before.
        dialogues: that reached it.
        perplexity: exp of the mean NLL per token of what people wrote there, their end included; 95% bootstrap interval.
        people_leave: share of people who left there (with a message, or without a word); Wilson's 95% interval.
        model_leaves: mean probability that the model leaves there, in the very same contexts; 95% bootstrap interval.
    """

    turn: int
    dialogues: int
    perplexity: Interval
    people_leave: Interval
    model_leaves: Interval


@dataclass(frozen=True)
class UserCard:
    """What a user model was fitted on, and what was measured on people whom it never saw.

    Attributes:
        conversations: given to be fitted on; those of `validation_share` of the persons among them chose the epoch.
        held_out: conversations given to be measured on.
        cut, dropped: of both, how many did not fit the model's context whole, or at all.
        parameters: of the model.
        steps: optimiser steps up to the epoch that was kept.
        perplexity: of the held-out people's messages, per token of the model's own tokenizer, ends included.
        bits_per_character: of the same messages; comparable between tokenizers.
        unigram: perplexity per token of a model that knows how often each token is said, and nothing else.
        turns: the same by turn, and when people and model leave.
    """

    conversations: int
    held_out: int
    cut: int
    dropped: int
    parameters: int
    steps: int
    perplexity: float
    bits_per_character: float
    unigram: float
    turns: list[TurnFit]
