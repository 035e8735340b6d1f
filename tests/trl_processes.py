"""What the tests of the engine trl train, where a process that is started can import it."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save_model

from conftest import ColourFamily, ColourUser
from understudy.config import RLConfig
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.speaker import ModelSpeaker
from understudy.scheduler import StageContext
from understudy.train.rollouts import WHOLE, Collected, ConversationRollouts
from understudy.train.trl_engine import train_with_trl
from understudy.types import Message, Outcome, Task


class Odd(ColourFamily):
    """Rewards an odd number of words: an untrained model earns now one, now the other."""

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        return Outcome(float(sum(len(m.text.split()) for m in messages if m.role == "agent") % 2), ending)


class Kept(ConversationRollouts):
    """Remembers what it collected."""

    def __init__(self, failing: Sequence[int] = ()) -> None:
        super().__init__(Odd(), ColourUser(failing), seed=3, width=16)
        self.steps: list[Collected] = []

    def collect(self, agent: ModelSpeaker, step: int, groups: int, group_size: int, part: slice = WHOLE) -> Collected:
        self.steps.append(super().collect(agent, step, groups, group_size, part))
        return self.steps[-1]


def run(engine: Any, model: ChatModel, scratch: Path, source: Kept, config: RLConfig, **more: Any) -> ChatModel:
    policy = ChatModel(copy.deepcopy(model.model), copy.deepcopy(model.tokenizer))
    speaker = ModelSpeaker(policy, "agent", width=16, max_message_tokens=5)
    scratch.mkdir(exist_ok=True)
    engine(policy, speaker, source, config, scratch=scratch, **more)
    return policy


def train(context: StageContext, *, model: Path, failing: Sequence[int], config: RLConfig) -> None:
    """One of several processes."""
    policy = run(
        train_with_trl,
        load_chat_model(model),
        context.scratch,
        Kept(failing),
        config,
        on_step=lambda step, figures: context.progress(step + 1, config.steps, reward=figures["reward"]),
    )
    save_model(policy.model, str(context.output / f"rank{os.environ['RANK']}.safetensors"))
