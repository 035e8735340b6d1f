"""Users whose behaviour is exactly known: a programme that can be sampled and gives the probability of any reply."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from understudy.tasks.grammar import Expression
from understudy.types import Message, Task


@dataclass(frozen=True, slots=True)
class Option:
    """One way to answer: with probability `weight`, text drawn from `text`, ending the conversation or not."""

    weight: float
    text: Expression
    end: bool = False


class ReplyDistribution:
    """A mixture of `Option`s: the exact distribution of a user's next message."""

    def __init__(self, options: Sequence[Option]) -> None:
        total = sum(option.weight for option in options)
        if total <= 0 or any(option.weight < 0 for option in options):
            raise ValueError("a reply distribution needs non-negative weights with a positive sum")
        self.options = tuple(options)
        self._cumulative = np.cumsum([option.weight / total for option in options])
        self._total = total

    def sample(self, rng: np.random.Generator) -> Message:
        index = min(int(np.searchsorted(self._cumulative, rng.random(), side="right")), len(self.options) - 1)
        option = self.options[index]
        return Message("user", option.text.sample(rng), option.end)

    def probability(self, reply: Message) -> float:
        """Probability of exactly this text and this `end`, in [0, 1], summed over all derivations."""
        return (
            sum(o.weight * o.text.probability(reply.text) for o in self.options if o.end == reply.end and o.weight > 0)
            / self._total
        )


class Population(ABC):
    """A family's real users: a finite set of personas and the reply distribution of each.

    A persona is hashable and drawn once per person. `reply` must be a function of its arguments alone: the user's state
    is read off the history, which may hold any text on the agent's side and (when a simulator speaks) on the user's.
    """

    @abstractmethod
    def personas(self) -> Sequence[tuple[Any, float]]:
        """Every persona with its share of the population; shares sum to 1."""

    @abstractmethod
    def reply(self, task: Task, messages: Sequence[Message], persona: Any) -> ReplyDistribution:
        """The distribution of the user's next message (the opening where nothing was said)."""

    def persona(self, person: str) -> Hashable:
        """Who this person is: drawn from `personas` by the person's name, always the same."""
        digest = np.random.SeedSequence(list(person.encode())).generate_state(2)
        u = np.random.default_rng(digest).random()
        everyone = self.personas()
        index = int(np.searchsorted(np.cumsum([share for _, share in everyone]), u, side="right"))
        found: Hashable = everyone[min(index, len(everyone) - 1)][0]
        return found

    def log_prob(self, reply: Message, task: Task, messages: Sequence[Message], persona: Any) -> float:
        """log P(reply | messages, goal, persona); -inf where impossible."""
        p = self.reply(task, messages, persona).probability(reply)
        return math.log(p) if p > 0 else -math.inf

    def log_prob_marginal(self, task: Task, messages: Sequence[Message]) -> list[float]:
        """log P(u_t | what was said before, goal) for each user message, in order, personas filtered out exactly.

        The belief over personas starts at their shares and is updated by each user message (Bayes' rule). A message
        that no persona could write has -inf and leaves the belief as it was.
        """
        everyone = self.personas()
        belief = np.array([share for _, share in everyone])
        result: list[float] = []
        for position, message in enumerate(messages):
            if message.role != "user":
                continue
            before = messages[:position]
            likelihood = np.array(
                [
                    self.reply(task, before, p).probability(message) if believed else 0.0
                    for (p, _), believed in zip(everyone, belief, strict=True)
                ]
            )
            joint = belief * likelihood
            marginal = float(joint.sum())
            if marginal > 0:
                belief = joint / marginal
            result.append(math.log(marginal) if marginal > 0 else -math.inf)
        return result
