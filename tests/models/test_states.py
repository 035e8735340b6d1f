from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.states import context_states
from understudy.types import Message

SAID = (Message("user", "i want red please"), Message("agent", "which colour ?"))


def test_states_are_those_that_the_next_word_is_predicted_from(tiny_model: ChatModel) -> None:
    contexts = [
        ("you want red", SAID),
        ("you want blue", ()),
        ("you want red", (*SAID, Message("user", "red"), SAID[1])),
    ]
    found = context_states(tiny_model, "user", contexts)
    assert found.shape == (3, tiny_model.model.config.hidden_size)
    chat = ChatFormat.of(tiny_model, "user")
    for row, (prompt, messages) in zip(found, contexts, strict=True):
        # Whatever the user says next, its first word stands where the state was taken.
        ids, mask = chat.dialogue(prompt, [*messages, Message("user", "green")])
        start = [i for i, own in enumerate(mask) if own][-len(chat.words("green")) - 1]
        with torch.no_grad():
            state = torch.as_tensor(row, dtype=torch.float32)
            logits = tiny_model.model.get_output_embeddings()(state)
            whole = tiny_model.model(torch.tensor([ids])).logits[0, start - 1]
        assert logits.numpy() == pytest.approx(whole.numpy(), abs=0.02)  # bf16 on processors that have it


def test_states_do_not_depend_on_neighbours(tiny_model: ChatModel) -> None:
    alone = context_states(tiny_model, "user", [("you want red", SAID)])
    beside = context_states(tiny_model, "user", [("you want red", SAID), ("you want white paint", SAID * 3)])
    assert np.abs(alone[0] - beside[0]).max() < 0.02
