"""What a task family is: tasks, endings, rewards, and (where the users are known) the users' exact behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import numpy as np

from understudy.tasks.population import Population, ReplyDistribution
from understudy.types import Dialogue, Message, Outcome, Task


@dataclass(frozen=True, slots=True)
class Check:
    """One occasion on which a user could contradict its goal or what was said, and whether it did.

    Attributes:
        kind: names the contradiction in words for the coherence table, for example `approves a wrong draft`.
        violated: whether the user did it.
    """

    kind: str
    violated: bool


@dataclass(frozen=True, slots=True)
class FinalAct:
    """A logged agent message that ends the matter, so that the log determines the reward of its content.

    Attributes:
        position: index of the agent's message in the dialogue.
        forced: the words that fix the act (`final answer :`); only what follows is sampled and trained.
    """

    position: int
    forced: str


class TaskFamily(Protocol):
    """One kind of task. Everything is a pure function of its arguments; randomness comes from the given stream.

    A class that inherits from it, or from one below, may leave out what has a default here.
    """

    name: str
    """Key in `FAMILIES`, used on the command line."""
    summary: str
    """One sentence for `--help` and the report: what the user wants, what the agent does, what the reward is."""
    reward_name: str
    """For tables and axes, with its unit, for example `accuracy` or `points / 10`."""
    reward_max: float
    max_agent_turns: int
    """H: the dialogue is over after this many agent messages."""

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        """Draw a task g ~ rho."""
        ...

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        """Why the dialogue is over after its last message, or None. `max_agent_turns` is enforced by the caller."""
        ...

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        """The reward of a finished dialogue, a function of the goal and of what was said alone."""
        ...

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        """What the interface shows the side that is to answer the last message, people and models alike; empty for nothing.

        A function of that side's own goal and of what was said: never of the other side's goal. A model reads it right
        before its answer; what matters most stands last.
        """
        return ""

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        """The logged agent message that the static arm may train on, or None if the log determines nothing."""
        return None

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        """Reward of writing `text` in place of `messages[position]`; None where the log does not determine it."""
        return None

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        """Every occasion for a contradiction by the user in this dialogue (empty where it cannot be told)."""
        return []


class KnownUserFamily(TaskFamily, Protocol):
    """A family whose real users are a programme, so that every measurement can be checked against the truth."""

    @property
    def population(self) -> Population:
        """The real users."""
        ...

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        """The stand-in for a prompted LLM user at full severity: its failings are designed in (see docs/tasks.md)."""
        ...

    def script(self, task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
        """The imperfect agent that wrote the logs; it reads `task.agent_prompt` and the messages, never the goal."""
        ...


class Corpus(NamedTuple):
    """People's dialogues: to fit models on, and to measure them with. No person is in both."""

    train: list[Dialogue]
    validation: list[Dialogue]


class KeepsForJudging(Protocol):
    """A family whose tasks come from a folder, which keeps some of them for judging."""

    @classmethod
    def from_folder(cls, path: Path) -> Self:
        """The family with its tasks.

        Raises:
            LogError: if the folder does not hold what is needed.
        """
        ...

    def for_judging(self) -> TaskFamily:
        """The same family with tasks that `sample_task` never draws here."""
        ...


class KnowsKept(Protocol):
    """A family of a folder that can tell which tasks it keeps; no family needs to."""

    def keeps(self, task: Task) -> bool:
        """Whether the task, as people may have met it elsewhere, is among those kept for judging."""
        ...


class CorpusFamily(TaskFamily, KeepsForJudging, Protocol):
    """A family whose users are people who cannot be called: their dialogues lie in a folder, and a referee stands for them."""

    def corpus(self, seed: int) -> Corpus:
        """The folder's dialogues with their tasks and outcomes.

        Args:
            seed: of whatever is drawn in reading them.
        """
        ...


class HasVariants(Protocol):
    """A corpus family that knows what changes nothing; no family needs to."""

    def variants(self, dialogue: Dialogue) -> list[Dialogue]:
        """The dialogue in other words that mean as much, for fitting alone."""
        ...


class ReadsActs(Protocol):
    """A family that can tell what a message does; no family needs to."""

    def act(self, task: Task, message: Message) -> str:
        """What a message does, in a few words, whatever its wording: a fixed rule that reads any text of either side."""
        ...


class KeepsPrivate(Protocol):
    """A family in which a side may write what the other is not given; no family needs to."""

    def public(self, message: Message) -> str | None:
        """What the other side is given in place of the message's words; None where it is given all of them."""
        ...
