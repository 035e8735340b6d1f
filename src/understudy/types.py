"""The records that the stages hand to each other. Lengths and ranges are checked when a record is made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["agent", "user"]

WALK_OUTS = frozenset({"left", "user ended"})
"""Endings in which the user left without what it came for."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said.

    Attributes:
        role: who said it.
        text: the words; may be empty only where `end` is true (the speaker left without a word).
        end: whether the speaker ended the conversation with this message.
        shown: what the interface shows the other side beside it, and no side can write (`TaskFamily.shown`).
        public: what the other side is given in place of the words, where some of them are private; None where all are public.
    """

    role: Role
    text: str
    end: bool = False
    shown: str = ""
    public: str | None = None

    @property
    def heard(self) -> str:
        """What the other side is given of the words."""
        return self.text if self.public is None else self.public


@dataclass(frozen=True, slots=True)
class Task:
    """What one dialogue is about: a prompt for each side, and the private goal that the reward is computed from.

    Attributes:
        family: name of the task family, a key of `understudy.tasks.FAMILIES`.
        id: unique within the family.
        agent_prompt: what the agent is told; it never holds the user's goal.
        user_prompt: the user's private goal in words; it never holds the agent's prompt or the reward.
        goal: JSON-able facts for the population and the reward; no model is ever shown them.
        opener: who speaks first.
    """

    family: str
    id: str
    agent_prompt: str
    user_prompt: str
    goal: Mapping[str, Any]
    opener: Role = "user"

    def prompt(self, role: Role) -> str:
        return self.agent_prompt if role == "agent" else self.user_prompt


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a dialogue ended.

    Attributes:
        reward: in the family's `[0, reward_max]`.
        ending: a short word of the family's (`final`, `left`, `approved`, `agreed`, `turns`, ...).
        details: further figures by name, for example `{"user_points": 6}`.
        turn_rewards: of the agent's messages, in order, where the family rewards each; they sum to `reward`. Empty: the
            reward is that of the last message (terminal).
    """

    reward: float
    ending: str
    details: Mapping[str, float] = field(default_factory=dict)
    turn_rewards: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.turn_rewards and not math.isclose(sum(self.turn_rewards), self.reward, rel_tol=1e-6, abs_tol=1e-6):
            raise ValueError(f"turn_rewards sum to {sum(self.turn_rewards)}, but reward is {self.reward}")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A finished conversation of one person (or simulated user) with one agent."""

    task: Task
    person: str
    messages: tuple[Message, ...]
    outcome: Outcome

    def __post_init__(self) -> None:
        rewards, said = len(self.outcome.turn_rewards), sum(m.role == "agent" for m in self.messages)
        if rewards and rewards != said:
            raise ValueError(
                f"family {self.task.family!r} gives {rewards} turn_rewards for {said} messages of the agent"
            )


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One side's view of a dialogue as token ids, exactly as they were sampled or appended.

    Attributes:
        ids: [T] the prompt and all messages in order.
        sampled: [T] true where this side's model sampled the token.
        logprobs: [T] log-probability under the distribution actually sampled from; 0 where not sampled.
        spans: one `(start, stop)` for each message that this side sampled, in order.
    """

    ids: tuple[int, ...]
    sampled: tuple[bool, ...]
    logprobs: tuple[float, ...]
    spans: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.sampled) == len(self.logprobs):
            raise ValueError(
                f"ids, sampled and logprobs differ in length: {len(self.ids)}, {len(self.sampled)}, {len(self.logprobs)}"
            )


@dataclass(frozen=True, slots=True)
class Trace:
    """A dialogue with the token records of the sides that a model took (None for a programme or a person)."""

    key: int
    dialogue: Dialogue
    agent: TokenRecord | None = None
    user: TokenRecord | None = None


@dataclass(frozen=True, slots=True)
class FailedDialogue:
    """A dialogue that could not be finished. It is counted and left out, never scored as reward 0.

    Attributes:
        role: the side that failed.
        reason, fix: see `Failure`.
        messages: what was said before.
    """

    key: int
    task_id: str
    role: Role
    reason: str
    messages: Sequence[Message] = ()
    fix: str = ""
