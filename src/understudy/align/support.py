"""Measures which messages of agents an aligned user has learned to answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from understudy.errors import LogError, ModelError
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.likelihood import Example, batches_by_length, token_surprise
from understudy.types import Dialogue
from understudy.users.support import Support, atypicality, said_before


def fit_support(
    chat_model: ChatModel,
    quantile: float,
    *,
    logs: Sequence[Dialogue],
    held_out: Sequence[Dialogue],
    batch_tokens: int,
) -> Support:
    """The support of a user model, by how typical it finds what agents say in logs, and how often they say it again.

    Args:
        quantile: of the messages that are to be within each of the two limits, in (0, 1).
        logs: all there are; repeats are counted in them, as no model is fitted for that.
        held_out: those of persons that the model was not fitted on.
        batch_tokens: per forward pass, padding included.

    Raises:
        LogError: if no held-out dialogue with a message of an agent fits the model's context.
        ModelError: if the model's probabilities are not finite.
    """
    found = atypicalities(chat_model, held_out, batch_tokens=batch_tokens)
    if not found:
        raise LogError(
            f"none of {len(held_out)} held-out dialogues has an agent's message within the model's context",
            where="support of the user",
            fix="raise max_length of the user's model, or set support.quantile to null",
        )
    limit = float(np.quantile(found, quantile))
    if not math.isfinite(limit):
        raise ModelError(
            "finds what agents say infinitely unlikely, or gives it no likelihood at all",
            where="support of the user",
            fix="look at its history.json: the fit has gone wrong (a lower sft.learning_rate may help)",
        )
    counts = [count for dialogue in logs for count in repeats(dialogue)]
    return Support(limit, int(np.quantile(counts, quantile, method="inverted_cdf")), quantile, len(found))


def repeats(dialogue: Dialogue) -> list[int]:
    """Of each message of the agent, how often it was `said_before`."""
    ends = [end for end, message in enumerate(dialogue.messages, start=1) if message.role == "agent"]
    return [said_before(dialogue.messages[:end]) for end in ends]


@torch.no_grad()
def atypicalities(chat_model: ChatModel, dialogues: Sequence[Dialogue], *, batch_tokens: int) -> list[float]:
    """`atypicality` of each message of the agent to the user's model, dialogue by dialogue; those too long for it left out."""
    model, chat = chat_model.model, ChatFormat.of(chat_model, "user")
    model.eval()
    examples = [_heard(dialogue, chat) for dialogue in dialogues]
    examples = [example for example in examples if len(example.ids) <= context_length(model)]
    device, pad = model.get_input_embeddings().weight.device, chat_model.tokenizer.pad_token_id
    found: list[list[float]] = [[] for _ in examples]
    for batch in batches_by_length(examples, batch_tokens, pad, device):
        surprise = torch.stack(token_surprise(model, batch.ids)).cpu().numpy()
        for row, index in enumerate(batch.indices):
            of_tokens = np.pad(surprise[:, row], ((0, 0), (1, 0)))  # none is told of the first
            sums = [examples[index].per_message(values) for values in of_tokens]
            found[index] = [atypicality(*message) for message in zip(*sums, strict=True)]
    return [value for values in found for value in values]


def _heard(dialogue: Dialogue, chat: ChatFormat) -> Example:
    """The dialogue as the user reads it, the mask on the agent's words and the token that ends each message."""
    prompt = dialogue.task.prompt(chat.side)
    ids, _ = chat.dialogue(prompt, dialogue.messages)
    return Example(ids, chat.heard(prompt, dialogue.messages, ends=True))
