from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.models import states
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.states import context_states, message_states
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
            device = tiny_model.model.device
            state = torch.as_tensor(row, dtype=torch.float32, device=device)
            logits = tiny_model.model.get_output_embeddings()(state)
            whole = tiny_model.model(torch.tensor([ids], device=device)).logits[0, start - 1]
        assert logits.cpu().numpy() == pytest.approx(whole.cpu().numpy(), abs=0.02)  # bf16 on processors that have it


def test_states_do_not_depend_on_neighbours(tiny_model: ChatModel) -> None:
    alone = context_states(tiny_model, "user", [("you want red", SAID)])
    beside = context_states(tiny_model, "user", [("you want red", SAID), ("you want white paint", SAID * 3)])
    assert np.abs(alone[0] - beside[0]).max() < 0.02


def test_states_of_a_message_are_those_of_its_own_tokens(tiny_model: ChatModel) -> None:
    said = [("you want red", (*SAID, Message("user", "red please"))), ("you want blue", (Message("user", "blue"),))]
    found = message_states(tiny_model, "user", said)
    hidden = tiny_model.model.config.hidden_size
    assert found.shape == (2, 2 * hidden)
    chat = ChatFormat.of(tiny_model, "user")
    for row, (prompt, messages) in zip(found, said, strict=True):
        ids, mask = chat.dialogue(prompt, messages)
        with torch.no_grad():
            row_ids = torch.tensor([ids], device=tiny_model.model.device)
            states = tiny_model.model(row_ids, output_hidden_states=True).hidden_states[-1][0].cpu().numpy()
        own = [i for i, mine in enumerate(mask) if mine][-len(chat.words(messages[-1].text)) - 1 :]
        assert row[:hidden] == pytest.approx(states[own].mean(0), abs=0.03)
        assert row[hidden:] == pytest.approx(states[own[-1]], abs=0.05)


def test_what_a_longer_dialogue_begins_with_is_read_with_it(
    tiny_model: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same states as each by itself, from as many forward passes as there are dialogues that none other begins with."""
    own = Message("user", "red please")
    dialogue = (Message("user", "hello"), SAID[1], own, Message("agent", "here"), Message("user", "thanks", end=True))
    said = [("you want red", dialogue[:1]), ("you want red", dialogue), ("you want red", dialogue[:3])]
    said += [("you want red", (*dialogue[:2], Message("user", "blue"))), ("you want blue", dialogue[:1]), said[2]]
    alone = np.stack([message_states(tiny_model, "user", [one])[0] for one in said])
    rows: list[int] = []
    batches = states.batches_by_length
    monkeypatch.setattr(
        states, "batches_by_length", lambda examples, *rest: (rows.append(len(examples)), batches(examples, *rest))[1]
    )
    assert message_states(tiny_model, "user", said) == pytest.approx(alone, abs=0.05)
    assert rows == [3]
