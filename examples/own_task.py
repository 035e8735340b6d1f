"""A task family of one's own, with known users: find a day on which somebody can meet.

Read some of its dialogues:  PYTHONPATH=. understudy logs sample examples.own_task:Meeting --out meeting.jsonl
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from understudy.tasks.base import KnownUserFamily
from understudy.tasks.grammar import Choice, Typed
from understudy.tasks.population import Option, Population, ReplyDistribution
from understudy.types import Message, Outcome, Task

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def read_day(text: str) -> int | None:
    """The fixed rule that reads any text: the first day named, 0 to 6; None if there is none."""
    return next((DAYS.index(word) for word in re.findall("[a-z]+", text.lower()) if word in DAYS), None)


def proposed(messages: Sequence[Message]) -> list[int | None]:
    """What each agent message proposes."""
    return [read_day(m.text) for m in messages if m.role == "agent"]


def option(weight: float, *texts: str, end: bool = False) -> Option:
    return Option(weight, Choice([Typed(text, 0.02) for text in texts]), end)  # each word is misspelt at times


class People(Population):
    """The persona is the patience: how many messages of the agent somebody bears."""

    def personas(self) -> Sequence[tuple[int, float]]:
        return ((3, 0.5), (5, 0.5))

    def reply(self, task: Task, messages: Sequence[Message], persona: int) -> ReplyDistribution:
        days, wanted = proposed(messages), task.goal["day"]
        if not days:
            return ReplyDistribution([option(1, "when can we meet ?", "i need to see you this week")])
        if days[-1] == wanted:
            return ReplyDistribution([option(1, "yes , that works", "yes , see you then", end=True)])
        if len(days) >= persona:
            return ReplyDistribution([option(1, "forget it", "never mind , bye", "", end=True)])
        if days[-1] is None:
            return ReplyDistribution([option(1, "which day do you mean ?")])
        side = "later" if wanted > days[-1] else "earlier"
        hints = option(0.7, f"no , a bit {side}", f"i would need something {side}")
        return ReplyDistribution([hints, option(0.3, "no , i am busy then")])


class Meeting(KnownUserFamily):
    """The user can meet on one day; the agent proposes days until the user agrees or leaves."""

    name = "meeting"
    summary = "The user can meet on one day only, the agent proposes days; reward: 1 if they agree on it, else 0."
    reward_name = "accuracy"
    reward_max = 1.0
    max_agent_turns = 6
    population: Population = People()

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        day = int(rng.integers(len(DAYS)))
        return Task(self.name, id, "find a day to meet", f"you can meet on {DAYS[day]}", {"day": day})

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        last = messages[-1]
        if last.role == "agent" or not last.end:
            return None
        return "agreed" if "yes" in last.text.split() else "left"

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        return Outcome(float(ending == "agreed" and proposed(messages)[-1:] == [task.goal["day"]]), ending)

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        if not messages:  # tells at once what people make the agent find out
            return ReplyDistribution([option(1, f"hello ! could we please meet on {DAYS[task.goal['day']]} ?")])
        return ReplyDistribution([option(1, "yes , wonderful , thank you so much !", end=True)])

    def script(self, task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
        untried = [day for i, day in enumerate(DAYS) if i not in proposed(messages)]
        return Message("agent", f"how about {untried[int(rng.integers(len(untried)))]} ?")
