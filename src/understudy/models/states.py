"""What a model makes of a context and of a message: its hidden states before the output layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.likelihood import Example, batches_by_length
from understudy.models.placement import is_spread, to_devices
from understudy.models.precision import training_autocast
from understudy.types import Message, Role

_BATCH_TOKENS = 8192

Said = tuple[str, Sequence[Message]]
"""A side's prompt, and what was said."""


def context_states(chat_model: ChatModel, side: Role, contexts: Sequence[Said]) -> NDArray[np.float64]:
    """[N, hidden] state at the place where the side's next message begins.

    The next word is predicted from it, so contexts that a model answers alike are near each other, however they are worded.
    """
    chat = ChatFormat.of(chat_model, side)
    rows = [[*chat.dialogue(prompt, messages)[0], *chat.before_own(messages)] for prompt, messages in contexts]
    found = np.zeros((len(rows), chat_model.model.config.hidden_size))
    for i, states in _states(chat_model, rows):
        found[i] = states[-1]
    return found


def message_states(chat_model: ChatModel, side: Role, said: Sequence[Said]) -> NDArray[np.float64]:
    """[N, 2 * hidden] of the last of the messages, which is the side's own: the mean state over its tokens, and the state at
    its end, where all of it has been read.
    """
    chat = ChatFormat.of(chat_model, side)
    rows = [chat.dialogue(prompt, messages[:-1]) for prompt, messages in said]
    own = [chat.own(messages[-1], messages[:-1]) for _, messages in said]
    hidden = chat_model.model.config.hidden_size
    found = np.zeros((len(rows), 2 * hidden))
    for i, states in _states(chat_model, [[*ids, *last] for (ids, _), (last, _) in zip(rows, own, strict=True)]):
        mask = np.array([*([False] * len(rows[i][0])), *own[i][1]])
        words = states[mask]
        found[i, :hidden], found[i, hidden:] = words.mean(0), words[-1]
    return found


@torch.no_grad()
def _states(chat_model: ChatModel, rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Each row's place and its states [T, hidden], in some order; a row that another one begins with is read with it alone."""
    longest = _beginnings(rows)
    read = sorted(set(longest))
    within: dict[int, list[int]] = {}
    for i, leader in enumerate(longest):
        within.setdefault(leader, []).append(i)
    model = chat_model.model.eval()
    stood_on = model.device
    examples = [Example(rows[leader], [False] * len(rows[leader])) for leader in read]
    pad = chat_model.tokenizer.pad_token_id or 0
    try:
        device = to_devices(model)
        for batch in batches_by_length(examples, _BATCH_TOKENS, pad, device):
            with training_autocast():
                # Without the output layer: its logits would take more than all else.
                states = model.base_model(input_ids=batch.ids, use_cache=False).last_hidden_state
            for row, place in enumerate(batch.indices):
                for i in within[read[place]]:
                    yield i, states[row, : len(rows[i])].double().cpu().numpy()
    finally:
        if not is_spread(model):
            model.to(stood_on)  # a sampler's copy may need the room


def _beginnings(rows: Sequence[Sequence[int]]) -> list[int]:
    """For each row the place of a longest one that begins with it, its own where there is none."""
    # Sorted, a row stands right before those that begin with it.
    order = sorted(range(len(rows)), key=lambda i: tuple(rows[i]))
    found = list(range(len(rows)))
    for before, after in zip(order[-2::-1], order[:0:-1], strict=True):
        if list(rows[before]) == list(rows[after][: len(rows[before])]):
            found[before] = found[after]
    return found
