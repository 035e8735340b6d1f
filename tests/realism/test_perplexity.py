"""Likelihoods of logged messages, one by one and together."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from understudy.models.chat import ChatFormat
from understudy.models.load import ChatModel
from understudy.realism.perplexity import held_out_perplexity, reply_log_probs
from understudy.types import Dialogue, Message


def test_each_reply_has_its_own_likelihood(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    found = reply_log_probs(tiny_model, "user", colour_logs)
    assert [None if f is None else len(f) for f in found] == [
        sum(m.role == "user" for m in d.messages) for d in colour_logs
    ]
    together = held_out_perplexity(tiny_model, "user", colour_logs)
    total = sum(sum(f) for f in found if f is not None)
    assert -total / together.tokens == pytest.approx(math.log(together.per_token), rel=1e-3)
    # The first reply of the first dialogue, token by token.
    dialogue = colour_logs[0]
    assert dialogue.messages[0].role == "user"
    chat = ChatFormat.of(tiny_model, "user")
    ids, mask = chat.dialogue(dialogue.task.user_prompt, dialogue.messages[:1])
    with torch.no_grad():
        logp = torch.log_softmax(tiny_model.model(torch.tensor([ids])).logits[0, :-1].float(), -1)
    by_hand = sum(float(logp[i - 1, ids[i]]) for i in range(1, len(ids)) if mask[i])
    assert found[0] is not None
    assert found[0][0] == pytest.approx(by_hand, abs=0.05)


def test_a_dialogue_that_does_not_fit_has_none(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    long = replace(colour_logs[0], messages=(Message("user", "red " * 500),))
    found = reply_log_probs(tiny_model, "user", [long, colour_logs[1]])
    assert found[0] is None
    assert found[1] is not None
