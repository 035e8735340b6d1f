"""Two models compared by message and by token."""

from __future__ import annotations

import copy

import pytest
import torch

from understudy.align.sft import fit
from understudy.config import ModelConfig, SFTConfig
from understudy.errors import ModelError
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.tiny import make_tiny
from understudy.shift.tokens import model_shift
from understudy.types import Dialogue


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_by_hand_for_one_message(tiny_model: ChatModel, colour_logs: list[Dialogue], temperature: float) -> None:
    other = copy.deepcopy(tiny_model)
    fit(other, "agent", colour_logs[:40], colour_logs[40:], SFTConfig(steps=10), seed=0)
    found = model_shift(tiny_model, other, "agent", colour_logs[:1], temperature=temperature, min_alive=1)
    assert len(found.messages) == len(found.tokens) == 1
    chat = ChatFormat.of(tiny_model, "agent")
    ids, mask = chat.dialogue(colour_logs[0].task.agent_prompt, colour_logs[0].messages)
    with torch.no_grad():
        row = torch.tensor([ids], device=tiny_model.model.device)
        p, q = (torch.softmax(m.model(row).logits[0, :-1].float() / temperature, -1) for m in (tiny_model, other))
    own = [i for i, inside in enumerate(mask) if inside]
    by_token = sum(float(0.5 * (p[i - 1] - q[i - 1]).abs().sum()) for i in own) / len(own)
    assert found.tokens[0].tv == pytest.approx(by_token, abs=0.02)
    ratio = float(torch.stack([q[i - 1, ids[i]] / p[i - 1, ids[i]] for i in own]).prod())
    assert found.messages[0].tv == pytest.approx(max(0.0, 1 - ratio), abs=0.05)


def test_a_model_is_no_distance_from_itself(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    found = model_shift(tiny_model, copy.deepcopy(tiny_model), "agent", colour_logs)
    assert all(p.tv == 0 for p in (*found.messages, *found.tokens))


def test_models_with_other_tokens_are_refused(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    shape = ModelConfig(hidden=16, layers=1, heads=2, kv_heads=1, intermediate=32, vocabulary=300, max_length=128)
    stranger = make_tiny(["another language altogether"] * 9, shape, 0)
    with pytest.raises(ModelError, match="different tokens"):
        model_shift(tiny_model, stranger, "agent", colour_logs)
