"""What a model makes of a context: its hidden state where it is about to write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.likelihood import Example, batches_by_length
from understudy.models.precision import default_device, training_autocast
from understudy.types import Message, Role

_BATCH_TOKENS = 8192

Said = tuple[str, Sequence[Message]]
"""A side's prompt, and what was said."""


@torch.no_grad()
def context_states(chat_model: ChatModel, side: Role, contexts: Sequence[Said]) -> NDArray[np.float64]:
    """[N, hidden] state before the output layer at the place where the side's next message begins.

    The next word is predicted from it, so contexts that a model answers alike are near each other, however they are worded.
    """
    chat = ChatFormat.of(chat_model, side)
    rows = [[*chat.dialogue(prompt, messages)[0], *chat.before_own(messages)] for prompt, messages in contexts]
    device = default_device()
    model = chat_model.model.to(device).eval()
    found = np.zeros((len(rows), model.config.hidden_size))
    examples = [Example(ids, [False] * len(ids)) for ids in rows]
    pad = chat_model.tokenizer.pad_token_id or 0
    for batch in batches_by_length(examples, _BATCH_TOKENS, pad, device):
        with training_autocast():
            states = model(input_ids=batch.ids, use_cache=False, output_hidden_states=True).hidden_states[-1]
        for row, i in enumerate(batch.indices):
            found[i] = states[row, len(rows[i]) - 1].float().cpu().numpy()
    return found
