"""A task family for logs of one's own, of which nothing is known but what was said: no rules, no reward."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from understudy.errors import LogError
from understudy.logs.dialogues import UNKNOWN, cut
from understudy.tasks.base import Check, FinalAct
from understudy.types import Dialogue, Message, Outcome, Task


class Logged:
    """Tasks are those of the logs; a dialogue is over when a side ends it, or at the length of the longest logged one.

    Args:
        dialogues: the logs.
        heard_words: words that the user is given of each message of the agent; all where None.

    Raises:
        LogError: if there are none.
    """

    name = "logs"
    summary = "Dialogues as they were logged; nothing is known of a reward."
    reward_name = "no reward"
    reward_max = 1.0

    def __init__(self, dialogues: Sequence[Dialogue], heard_words: int | None = None) -> None:
        self.heard_words = heard_words
        if not dialogues:
            raise LogError("no dialogue to take tasks from", where=self.name, fix="give at least one")
        self.tasks = tuple(dialogue.task for dialogue in dialogues)
        self.max_agent_turns = max(1, *(sum(m.role == "agent" for m in d.messages) for d in dialogues))

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        return self.tasks[int(rng.integers(len(self.tasks)))]

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        return None

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        """Nothing is known of it, as in the logs: how they ended is known by their words alone."""
        return Outcome(math.nan, UNKNOWN)

    def public(self, message: Message) -> str | None:
        """The words of an agent's message that the user is given."""
        if message.role == "user" or self.heard_words is None:
            return None
        return cut(message.text, self.heard_words)

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        return ""

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        return None

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        return None

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        return []
