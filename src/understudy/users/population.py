"""Known users as speakers: the population itself, and its mixture with the stand-in for a prompted LLM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from understudy.runs import stream
from understudy.speaker import Failure, Request
from understudy.tasks.base import KnownUserFamily
from understudy.tasks.population import ReplyDistribution
from understudy.types import Message, Task, TokenRecord


class PopulationSpeaker:
    """The real users of a known-user family: each person keeps its persona over all its dialogues."""

    def __init__(self, family: KnownUserFamily) -> None:
        self.family = family

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        population = self.family.population
        return [
            population.reply(task_of(self.family.name, r), r.messages, population.persona(r.person)).sample(
                stream(r.seed, "user", str(len(r.messages)))
            )
            for r in requests
        ]

    def finish(self, key: int) -> TokenRecord | None:
        return None


class PromptedFamily(Protocol):
    """A family that comes with a stand-in for a prompted LLM user."""

    name: str

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution: ...


class PromptedSpeaker:
    """The stand-in for a prompted LLM user, with failings designed in.

    Args:
        family: gives the stand-in's reply distribution.
        severity: in [0, 1]: each reply is the stand-in's with this probability and the population's otherwise, so that
            the per-turn deviation delta from the real users is `severity` times that of the stand-in.
        people: who replies otherwise; needed where severity < 1.
    """

    def __init__(self, family: PromptedFamily, severity: float = 1.0, people: PopulationSpeaker | None = None) -> None:
        if not 0 <= severity <= 1:
            raise ValueError(f"severity must be in [0, 1], not {severity}")
        if severity < 1 and people is None:
            raise ValueError("a severity below 1 needs the people to mix with")
        self.family, self.severity, self.people = family, severity, people

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Message | Failure:
        rng = stream(request.seed, "prompted", str(len(request.messages)))
        if self.people is not None and rng.random() >= self.severity:
            return self.people.reply([request])[0]
        return self.family.prompted_reply(task_of(self.family.name, request), request.messages).sample(rng)

    def finish(self, key: int) -> TokenRecord | None:
        return None


def task_of(family: str, request: Request) -> Task:
    """The task as a user's programme sees it: its own prompt and goal, without the agent's prompt."""
    return Task(family, "", "", request.prompt, request.goal or {})
