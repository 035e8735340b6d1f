from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch

from understudy.align.auxiliary import ABSENT, PRESENT, AuxiliaryLoss, Targets, targets_of
from understudy.align.sft import fit
from understudy.config import SFTConfig
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.types import Dialogue, Message


def test_what_is_told_in_a_dialogue(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    dialogue = colour_logs[1]
    said = (
        Message("user", "please"),
        Message("agent", "you want green ?", shown="red"),
        Message("user", "i want red"),
        Message("agent", "red ? you want red"),
        Message("user", "red"),
    )
    dialogue = replace(dialogue, task=replace(dialogue.task, user_prompt="you want red"), messages=said)
    chat = ChatFormat(tiny_model.tokenizer, "user")
    ids, mask = chat.dialogue("you want red", said)
    targets = targets_of(dialogue, chat)
    words = [(tiny_model.tokenizer.decode([i]).strip(), m) for i, m in zip(ids, targets.marks, strict=True) if m]
    assert words[:4] == [("you", PRESENT), ("want", PRESENT), ("green", ABSENT), ("?", ABSENT)]
    assert words[4:] == [("red", PRESENT), ("?", ABSENT), ("you", PRESENT), ("want", PRESENT), ("red", PRESENT)]
    # The opening answers nothing; before the first own word of each other reply stands how often the user has spoken.
    assert list(targets.spoken.values()) == [1, 2]
    for place in targets.spoken:
        assert (mask[place], mask[place + 1]) == (False, True)
    answering = replace(dialogue, messages=said[1:])
    assert list(targets_of(answering, chat).spoken.values()) == [0, 1]


@torch.no_grad()
def test_the_loss_by_hand() -> None:
    loss = AuxiliaryLoss(1, 3, SFTConfig(comparison_weight=0.5, counting_weight=0.1))
    assert loss.block == 2
    states = torch.tensor([[[9.0], [1.0], [3.0], [9.0]], [[9.0], [9.0], [2.0], [9.0]]])
    marks = [Targets([0, PRESENT, ABSENT], {}), Targets([0, 0, ABSENT, 0, 0], {})]
    assert float(loss(states, states, marks)) == pytest.approx(0.5 * math.log(2))
    torch.nn.init.ones_(loss.present.weight)
    present = 0.5 * (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(3)) + math.log(1 + math.exp(2))) / 3
    assert float(loss(states, states, marks)) == pytest.approx(present)
    # Nine numbers, told where the reply begins; more than eight is eight.
    told = [Targets([0, PRESENT, ABSENT], {1: 2}), Targets([0, 0, ABSENT, 0, 0], {3: 11})]
    assert float(loss(states, states, told)) == pytest.approx(present + 0.1 * math.log(9))
    loss.spoken.weight[2] = 1.0
    spoken = (math.log(8 + math.exp(1)) - 1 + math.log(8 + math.exp(9))) / 2
    assert float(loss(states, states, told)) == pytest.approx(present + 0.1 * spoken)


def test_where_nothing_was_heard_it_is_zero() -> None:
    states = torch.ones(1, 1, 1)
    assert float(AuxiliaryLoss(1, 2, SFTConfig())(states, states, [Targets([0, 0], {})])) == 0


def test_a_user_learns_it_and_an_agent_has_none(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    config = SFTConfig(steps=60, learning_rate=3e-3, batch_tokens=512)
    user, agent = (ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer) for _ in range(2))
    history = fit(user, "user", colour_logs[:45], colour_logs[45:], config, seed=0)
    losses = [epoch.auxiliary for epoch in history if epoch.auxiliary is not None]
    assert len(losses) == len(history)
    assert losses[-1] < losses[0] - 0.04
    counting = config.model_copy(update={"comparison_weight": 0.0, "counting_weight": 1.0})
    counts = ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer)
    counted = [e.auxiliary or 0.0 for e in fit(counts, "user", colour_logs[:45], colour_logs[45:], counting, seed=0)]
    assert counted[-1] < 0.5 * counted[0]
    assert all(
        epoch.auxiliary is None for epoch in fit(agent, "agent", colour_logs[:45], colour_logs[45:], config, seed=0)
    )
