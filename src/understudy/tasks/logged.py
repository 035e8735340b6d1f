"""A task family for logs of one's own, of which nothing is known but what was said: no rules, no reward."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from understudy.errors import LogError
from understudy.tasks.base import Check, FinalAct
from understudy.types import Dialogue, Message, Outcome, Task


class Logged:
    """Tasks are those of the logs; a dialogue is over when a side ends it, or at the length of the longest logged one.

    Args:
        dialogues: the logs.

    Raises:
        LogError: if there are none.
    """

    name = "logs"
    summary = "Dialogues as they were logged; nothing is known of a reward."
    reward_name = "no reward"
    reward_max = 1.0

    def __init__(self, dialogues: Sequence[Dialogue]) -> None:
        if not dialogues:
            raise LogError("no dialogue to take tasks from", where=self.name, fix="give at least one")
        self.tasks = tuple(dialogue.task for dialogue in dialogues)
        self.max_agent_turns = max(1, *(sum(m.role == "agent" for m in d.messages) for d in dialogues))

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        return self.tasks[int(rng.integers(len(self.tasks)))]

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        return None

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        return Outcome(math.nan, ending)

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        return ""

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        return None

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        return None

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        return []
