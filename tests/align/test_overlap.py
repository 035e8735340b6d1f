from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch

from understudy.align.overlap import ABSENT, PRESENT, OverlapLoss, overlap_marks
from understudy.align.sft import fit
from understudy.config import SFTConfig
from understudy.models.chat import ChatFormat
from understudy.models.likelihood import Batch
from understudy.models.load import ChatModel
from understudy.types import Dialogue, Message


def test_marks_say_which_heard_words_the_goal_has(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    dialogue = colour_logs[1]
    said = (Message("user", "please"), Message("agent", "you want green ?"))
    dialogue = replace(dialogue, task=replace(dialogue.task, user_prompt="you want red"), messages=said)
    chat = ChatFormat(tiny_model.tokenizer, "user")
    ids, _ = chat.dialogue("you want red", said)
    marks = overlap_marks(dialogue, chat)
    words = [(tiny_model.tokenizer.decode([i]).strip(), m) for i, m in zip(ids, marks, strict=True) if m]
    assert words == [("you", PRESENT), ("want", PRESENT), ("green", ABSENT), ("?", ABSENT)]


@torch.no_grad()
def test_the_loss_is_the_mean_over_heard_words() -> None:
    loss = OverlapLoss(hidden=1, layers=3, marks=[[0, PRESENT, ABSENT], [0, 0, ABSENT, 0, 0]])
    assert loss.block == 2
    batch = Batch(torch.zeros(1, 5), torch.zeros(1, 5), (1,))
    states = torch.tensor([[[9.0], [9.0], [2.0], [9.0]]])
    assert float(loss(states, batch)) == pytest.approx(math.log(2))
    torch.nn.init.ones_(loss.head.weight)
    assert float(loss(states, batch)) == pytest.approx(math.log(1 + math.exp(2)))
    both = Batch(torch.zeros(2, 5), torch.zeros(2, 5), (0, 1))
    states = torch.tensor([[[9.0], [1.0], [3.0], [9.0]], [[9.0], [9.0], [2.0], [9.0]]])
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(3)) + math.log(1 + math.exp(2))) / 3
    assert float(loss(states, both)) == pytest.approx(expected)


def test_where_nothing_was_heard_it_is_zero() -> None:
    loss = OverlapLoss(hidden=1, layers=2, marks=[[0, 0]])
    assert float(loss(torch.ones(1, 1, 1), Batch(torch.zeros(1, 2), torch.zeros(1, 2), (0,)))) == 0


def test_a_user_learns_it_and_an_agent_has_none(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    config = SFTConfig(steps=60, learning_rate=3e-3, batch_tokens=512)
    user, agent = (ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer) for _ in range(2))
    history = fit(user, "user", colour_logs[:45], colour_logs[45:], config, seed=0)
    overlaps = [epoch.overlap for epoch in history if epoch.overlap is not None]
    assert len(overlaps) == len(history)
    assert overlaps[-1] < overlaps[0] - 0.04
    assert all(
        epoch.overlap is None for epoch in fit(agent, "agent", colour_logs[:45], colour_logs[45:], config, seed=0)
    )
