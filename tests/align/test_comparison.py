from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch

from understudy.align.comparison import ABSENT, PRESENT, Comparison, ComparisonLoss, Verdict, comparison_of
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
    comparison = comparison_of(dialogue, chat)
    words = [(tiny_model.tokenizer.decode([i]).strip(), m) for i, m in zip(ids, comparison.marks, strict=True) if m]
    assert words[:4] == [("you", PRESENT), ("want", PRESENT), ("green", ABSENT), ("?", ABSENT)]
    assert words[4:] == [("red", PRESENT), ("?", ABSENT), ("you", PRESENT), ("want", PRESENT), ("red", PRESENT)]
    # The opening answers nothing; the other replies' first own words follow their verdicts.
    first, second = comparison.verdicts
    assert first.counts == (1, 2, 0, 1)  # lacks red; adds green ?
    assert second.counts == (0, 1, 3, 2)  # lacks nothing; adds ?; you want ? were said before
    for verdict in (first, second):
        assert (mask[verdict.position], mask[verdict.position + 1]) == (False, True)


@torch.no_grad()
def test_the_loss_by_hand() -> None:
    loss = ComparisonLoss(hidden=1, layers=3)
    assert loss.block == 2
    states = torch.tensor([[[9.0], [1.0], [3.0], [9.0]], [[9.0], [9.0], [2.0], [9.0]]])
    marks = [Comparison([0, PRESENT, ABSENT], []), Comparison([0, 0, ABSENT, 0, 0], [])]
    assert float(loss(states, states, marks)) == pytest.approx(math.log(2))
    torch.nn.init.ones_(loss.present.weight)
    present = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(3)) + math.log(1 + math.exp(2))) / 3
    assert float(loss(states, states, marks)) == pytest.approx(present)
    # Four counts of nine kinds each, told where the reply begins; more than eight is eight.
    told = [
        Comparison([0, PRESENT, ABSENT], [Verdict(1, 2, 0, 0, 0)]),
        Comparison([0, 0, ABSENT, 0, 0], [Verdict(3, 11, 8, 0, 1)]),
    ]
    assert float(loss(states, states, told)) == pytest.approx(present + 0.1 * 4 * math.log(9))
    loss.counts[0].weight[2] = 1.0
    lacking = (math.log(8 + math.exp(1)) - 1 + math.log(8 + math.exp(9))) / 2
    assert float(loss(states, states, told)) == pytest.approx(present + 0.1 * (lacking + 3 * math.log(9)))


def test_where_nothing_was_heard_it_is_zero() -> None:
    states = torch.ones(1, 1, 1)
    assert float(ComparisonLoss(hidden=1, layers=2)(states, states, [Comparison([0, 0], [])])) == 0


def test_a_user_learns_it_and_an_agent_has_none(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    config = SFTConfig(steps=60, learning_rate=3e-3, batch_tokens=512)
    user, agent = (ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer) for _ in range(2))
    history = fit(user, "user", colour_logs[:45], colour_logs[45:], config, seed=0)
    losses = [epoch.comparison for epoch in history if epoch.comparison is not None]
    assert len(losses) == len(history)
    assert losses[-1] < losses[0] - 0.04
    assert all(
        epoch.comparison is None for epoch in fit(agent, "agent", colour_logs[:45], colour_logs[45:], config, seed=0)
    )
