"""Shared fakes: a tiny family with a scripted user, and tiny models made on the spot."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run on all cores as it is

import copy
from collections.abc import Sequence

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from understudy.config import ModelConfig
from understudy.models.chat_model import ChatModel
from understudy.models.tiny import make_tiny
from understudy.speaker import Failure, Request
from understudy.tasks.base import Check, FinalAct
from understudy.tasks.grammar import Literal
from understudy.tasks.population import Option, ReplyDistribution
from understudy.types import Dialogue, Message, Outcome, Task, TokenRecord

WORDS = ["red", "green", "blue", "black", "white", "pink"]


class ColourFamily:
    """The user wants a colour; the agent names one; reward 1 if it is the right one. Two agent turns at most."""

    name = "colour"
    summary = "The user wants a colour."
    reward_name = "accuracy"
    reward_max = 1.0
    max_agent_turns = 2

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        colour = WORDS[int(rng.integers(len(WORDS)))]
        return Task(self.name, id, "you sell paint", f"you want {colour}", {"colour": colour})

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        last = messages[-1]
        return "final" if last.role == "agent" and last.text.startswith("take ") else None

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        right = ending == "final" and messages[-1].text.split()[1:2] == [task.goal["colour"]]
        return Outcome(float(right), ending)

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        return ""

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        for position, message in enumerate(messages):
            if message.role == "agent" and message.text.startswith("take "):
                return FinalAct(position, "take")
        return None

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        return float(text.split()[1:2] == [task.goal["colour"]])

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        return []


class OddFamily(ColourFamily):
    """Rewards an odd number of words: an untrained model earns now one, now the other."""

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        return Outcome(float(sum(len(m.text.split()) for m in messages if m.role == "agent") % 2), ending)

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        """What `ColourUser` says, for a process that can only be told the family's name."""
        return ReplyDistribution([Option(1.0, Literal(f"i want {task.goal['colour']} please"))])


class PartlyJudgedFamily(OddFamily):
    """The log determines the reward of two messages in three; an untrained model writes of both kinds."""

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        return None if len(text) % 3 == 0 else float(len(text) % 2)


class ColourUser:
    """Says its colour; fails on request for the keys given."""

    def __init__(self, failing: Sequence[int] = ()) -> None:
        self.failing = set(failing)

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        assert all(r.goal is not None for r in requests)
        return [
            Failure("line went dead") if r.key in self.failing else Message("user", f"i want {r.goal['colour']} please")
            for r in requests
            if r.goal is not None
        ]

    def finish(self, key: int) -> TokenRecord | None:
        return None


def colour_dialogue(index: int) -> Dialogue:
    family = ColourFamily()
    task = family.sample_task(np.random.default_rng(index), f"t{index}")
    colour = task.goal["colour"]
    messages = [Message("user", f"i want {colour} please")]
    if index % 2:
        messages += [Message("agent", "which colour ?"), Message("user", colour)]
    messages.append(Message("agent", f"take {colour}"))
    return Dialogue(task, f"p{index % 7}", tuple(messages), Outcome(1.0, "final"))


@pytest.fixture
def family() -> ColourFamily:
    return ColourFamily()


@pytest.fixture
def colour_logs() -> list[Dialogue]:
    return [colour_dialogue(i) for i in range(60)]


@pytest.fixture(scope="session")
def tiny_model() -> ChatModel:
    texts = [t for i in range(60) for m in colour_dialogue(i).messages for t in (m.text, "you sell paint", "you want")]
    config = ModelConfig(hidden=32, layers=2, heads=4, kv_heads=2, intermediate=64, vocabulary=400, max_length=96)
    return make_tiny(texts, config, seed=1)


@pytest.fixture(scope="session")
def system_first_tokenizer(tiny_model: ChatModel) -> PreTrainedTokenizerBase:
    """That of `tiny_model` with a template that has a system message at the start alone, as many have."""
    tokenizer = copy.deepcopy(tiny_model.tokenizer)
    refusal = "{% if m.role == 'system' and not loop.first %}{{ raise_exception('not there') }}{% endif %}"
    loop = "{% for m in messages %}"
    tokenizer.chat_template = str(tokenizer.chat_template).replace(loop, loop + refusal)
    return tokenizer
