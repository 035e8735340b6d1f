"""How far two language models of one side are apart, by message and by token, in the first one's own dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from understudy.align.sft import examples_of
from understudy.errors import ModelError
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.likelihood import batches_by_length, token_logprobs_and_distance
from understudy.models.placement import to_devices
from understudy.shift.likelihood import TurnShift, message_shift_by_turn, shift_by_turn
from understudy.types import Dialogue, Role

_BATCH_TOKENS = 4096


class ModelShift(NamedTuple):
    """Total variation between two models by turn.

    Attributes:
        messages: of whole messages, from their likelihoods; near 1 long before anything that matters differs.
        tokens: of the next token, exactly, averaged over the tokens of each message; a message's is at most their sum.
    """

    messages: list[TurnShift]
    tokens: list[TurnShift]


def model_shift(
    p: ChatModel,
    q: ChatModel,
    side: Role,
    dialogues: Sequence[Dialogue],
    *,
    temperature: float = 1.0,
    min_alive: int = 30,
) -> ModelShift:
    """`eps_t` of a policy P against Q (for users `delta_t`), averaged over P's own contexts, both sampled at one temperature.

    The words are taken as the tokenizer writes them. Dialogues longer than either context are left out.

    Args:
        dialogues: held by P, sampled at this temperature.
        temperature: above 0.

    Raises:
        ModelError: if the models do not share their tokens and format.
    """
    chat, other = ChatFormat.of(p, side), ChatFormat.of(q, side)
    if replace(other, tokenizer=chat.tokenizer) != chat or p.tokenizer.get_vocab() != q.tokenizer.get_vocab():
        raise ModelError(
            "two models with different tokens or formats cannot be compared token by token",
            where="shift",
            fix="compare models that were trained from the same start",
        )
    device = to_devices(p.model)
    to_devices(q.model)
    models = [model.model.eval() for model in (p, q)]
    limit = min(context_length(model) for model in models)
    examples = [e for e in examples_of(dialogues, chat) if len(e.ids) <= limit]
    found: list[tuple[list[float], list[float], list[float]]] = [([], [], [])] * len(examples)
    with torch.no_grad():
        for batch in batches_by_length(examples, _BATCH_TOKENS, p.tokenizer.pad_token_id, device):
            figures = [
                f.cpu().numpy() for f in token_logprobs_and_distance(models[0], models[1], batch.ids, temperature)
            ]
            for row, place in enumerate(batch.indices):
                example = examples[place]
                log_p, log_q, distance = (example.per_message(figure[row]) for figure in figures)
                tokens = example.per_message(np.ones(len(example.mask)))
                found[place] = log_p, log_q, [d / n for d, n in zip(distance, tokens, strict=True)]
    by_message = message_shift_by_turn([f[0] for f in found], [f[1] for f in found], min_alive=min_alive)
    return ModelShift(by_message, shift_by_turn([f[2] for f in found], min_alive=min_alive))
