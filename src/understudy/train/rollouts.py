"""Where the contexts of training come from: this is all that the arms differ in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from understudy.all_failed import all_failed
from understudy.converse import Appointment, converse
from understudy.errors import LogError
from understudy.models.speaker import ModelSpeaker
from understudy.runs import stream, stream_seed
from understudy.speaker import Failure, Request, Speaker
from understudy.tasks.base import FinalAct, TaskFamily
from understudy.tasks.heldout import draw_task
from understudy.types import WALK_OUTS, Dialogue, FailedDialogue, Message, TokenRecord, Trace

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Rollout:
    """One sample of the policy: its tokens, its reward, the group it is compared in.

    Attributes:
        reward: None where the log does not determine it; such a rollout is left out and counted.
        agent_messages: messages that the policy sampled, and that are trained.
        walked_out: whether the user left; of several continuations, the share that it left.
        turn_rewards: one per sampled message (per span of `record`), where the family rewards each; they sum to `reward`.
        forward_messages: what the policy sampled besides to find the reward (`MultiturnAwareRollouts`); it is not trained.
        forward_tokens: of these messages.
    """

    record: TokenRecord
    reward: float | None
    group: int
    agent_messages: int
    walked_out: float = False
    turn_rewards: tuple[float, ...] = ()
    forward_messages: int = 0
    forward_tokens: int = 0

    @property
    def rewards(self) -> tuple[float, ...]:
        """Of each sampled message; a terminal reward is that of the last. Empty where the reward is not determined."""
        if self.turn_rewards or self.reward is None:
            return self.turn_rewards
        return (*(0.0 for _ in self.record.spans[1:]), self.reward)

    @property
    def sampled_messages(self) -> int:
        """All that the policy sampled for it."""
        return self.agent_messages + self.forward_messages

    @property
    def sampled_tokens(self) -> int:
        """Likewise."""
        return sum(self.record.sampled) + self.forward_tokens


@dataclass(frozen=True, slots=True)
class Collected:
    """The rollouts of one step, and the failures of the dialogues that are missing in it."""

    rollouts: list[Rollout]
    failures: Sequence[Failure | FailedDialogue] = ()

    @property
    def failed(self) -> int:
        return len(self.failures)

    def refuse_none(self, step: int) -> None:
        """Stop where a step has nothing but failures: those after it would as well, and train nothing without a word.

        Args:
            step: from 0.

        Raises:
            UnderstudyError: if no rollout is there, and a dialogue failed.
        """
        if self.failures and not self.rollouts:
            raise all_failed(self.failures, f"step {step + 1} of training")


def rollout_of(trace: Trace, group: int) -> Rollout | None:
    """What the policy can learn from a dialogue; None where the user left with its opening, and the policy said nothing."""
    if trace.agent is None:
        return None
    dialogue = trace.dialogue
    return Rollout(
        record=trace.agent,
        reward=dialogue.outcome.reward,
        group=group,
        agent_messages=sum(m.role == "agent" for m in dialogue.messages),
        walked_out=dialogue.outcome.ending in WALK_OUTS,
        turn_rewards=dialogue.outcome.turn_rewards,
    )


@dataclass(frozen=True, slots=True)
class Completion:
    """A record as trainers from elsewhere take it: a prompt, and one completion with a mask inside it.

    Attributes:
        prompt_ids: what stands before the first token that was sampled.
        ids: [T] from there to the last one that was sampled.
        sampled: [T] whether the policy sampled the token; the other side's words and the template's are not.
        logprobs: [T] as sampled; 0 where not sampled.
    """

    prompt_ids: list[int]
    ids: list[int]
    sampled: list[bool]
    logprobs: list[float]

    @classmethod
    def of(cls, record: TokenRecord) -> Completion:
        """Of a record in which at least one token was sampled."""
        own = [i for i, sampled in enumerate(record.sampled) if sampled]
        first, end = own[0], own[-1] + 1
        return cls(
            list(record.ids[:first]),
            list(record.ids[first:end]),
            list(record.sampled[first:end]),
            list(record.logprobs[first:end]),
        )


WHOLE = slice(None)


class RolloutSource(Protocol):
    """Samples `groups` groups of `group_size` rollouts of the current policy for one optimiser step.

    Attributes:
        messages_per_rollout: expected agent messages of a rollout, for the size of the first step.
    """

    messages_per_rollout: float

    def collect(self, agent: ModelSpeaker, step: int, groups: int, group_size: int, part: slice = WHOLE) -> Collected:
        """The groups of a step, numbered from 0.

        Args:
            part: of the groups, to be collected here where others collect the rest; together they are those of one process.
        """
        ...


@dataclass(frozen=True)
class TrainingTasks:
    """Which dialogues each step of training holds: a function of the seed and the step alone, whoever holds them.

    Attributes:
        family: draws tasks.
        seed: of the tasks, persons and dialogues.
        held_out: see `draw_task`; false where goals are kept for judging.
    """

    family: TaskFamily
    seed: int
    held_out: bool | None

    def group(self, step: int, group: int, size: int) -> list[Appointment]:
        """`size` dialogues about one task with one person; their keys tell them apart within the step."""
        name = f"train-{step}-{group}"
        task = draw_task(self.family, stream(self.seed, "task", name), name, held_out=self.held_out)
        return [
            Appointment(group * size + i, task, f"{name}-{self.seed}", stream_seed(self.seed, "dialogue", name, str(i)))
            for i in range(size)
        ]


class ConversationRollouts:
    """The policy's own contexts: whole dialogues with a user (interactive, calibrated and oracle arms).

    Args:
        user: who the policy talks with.
        family, seed, held_out: see `TrainingTasks`; the family also gives the rewards.
    """

    messages_per_rollout = 4.0

    def __init__(
        self,
        family: TaskFamily,
        user: Speaker,
        *,
        seed: int,
        width: int,
        held_out: bool | None = None,
    ) -> None:
        self.tasks = TrainingTasks(family, seed, held_out)
        self.user, self.width = user, width

    def collect(self, agent: ModelSpeaker, step: int, groups: int, group_size: int, part: slice = WHOLE) -> Collected:
        appointments = [a for group in range(groups)[part] for a in self.tasks.group(step, group, group_size)]
        held = converse(self.tasks.family, appointments, agent, self.user, width=self.width)
        rollouts = [rollout_of(trace, trace.key // group_size) for trace in held.traces]
        return Collected([rollout for rollout in rollouts if rollout is not None], held.failures)


@dataclass(frozen=True, slots=True)
class Asked:
    """A message for the policy to write in a logged context.

    Attributes:
        dialogue: the logged one.
        request: what stands before the message; its key is the group.
    """

    dialogue: Dialogue
    request: Request


class LoggedRollouts:
    """Logged contexts, fixed: the policy rewrites one logged message whose outcome the log determines (static arm).

    The act is fixed by its first words where the family says so; only its content is sampled and trained. Left free, a
    policy learns to end every conversation at once (the log cannot say what the user would have answered).

    Raises:
        LogError: if no dialogue has a message whose outcome the log determines.
    """

    messages_per_rollout = 1.0

    def __init__(self, family: TaskFamily, dialogues: Sequence[Dialogue], *, seed: int, width: int) -> None:
        self.family, self.seed, self.width = family, seed, width
        found = ((d, family.final_act(d.task, d.messages)) for d in dialogues)
        self.acts: list[tuple[Dialogue, FinalAct]] = [(d, act) for d, act in found if act is not None]
        if not self.acts:
            raise LogError(
                f"none of {len(dialogues)} dialogues holds an agent message whose outcome the log determines",
                where="static arm",
                fix="leave `static` out of arms, or give logs with final acts (see TaskFamily.final_act)",
            )

    def collect(self, agent: ModelSpeaker, step: int, groups: int, group_size: int, part: slice = WHOLE) -> Collected:
        asked = self.asked(step, groups, part)
        answers = alternatives_in_batches(agent, [one.request for one in asked], group_size, width=self.width)
        rollouts: list[Rollout] = []
        failures: list[Failure] = []
        for one, answer in zip(asked, answers, strict=True):
            if isinstance(answer, Failure):
                failures += [answer] * group_size
                continue
            rollouts += [self.rollout(one, message, record) for message, record in answer]
        return Collected(rollouts, failures)

    def asked(self, step: int, groups: int, part: slice = WHOLE) -> list[Asked]:
        """What the policy is to write in each group of a step; of `part` alone."""
        return [
            Asked(dialogue, self._request(dialogue, act, group, f"{step}-{group}"))
            for group, (dialogue, act) in drawn_contexts(self.acts, self.seed, step, groups, part)
        ]

    def rollout(self, asked: Asked, message: Message, record: TokenRecord) -> Rollout:
        """What the policy can learn from its message; the log may not determine its reward."""
        dialogue, position = asked.dialogue, len(asked.request.messages)
        reward = self.family.final_act_reward(dialogue.task, dialogue.messages, position, message.text)
        return Rollout(record, reward, asked.request.key, 1)

    def _request(self, dialogue: Dialogue, act: FinalAct, key: int, name: str) -> Request:
        return Request(
            key=key,
            role="agent",
            prompt=dialogue.task.agent_prompt,
            messages=tuple(dialogue.messages[: act.position]),
            seed=stream_seed(self.seed, "dialogue", name),
            forced=act.forced,
        )


def drawn_contexts(contexts: Sequence[C], seed: int, step: int, groups: int, part: slice) -> list[tuple[int, C]]:
    """A logged context for each of a step's groups, another one each if there are enough; of `part`, with their numbers."""
    rng = stream(seed, "context", str(step))
    chosen = rng.choice(len(contexts), size=groups, replace=len(contexts) < groups)
    return [(group, contexts[chosen[group]]) for group in range(groups)[part]]


def alternatives_in_batches(
    agent: ModelSpeaker, requests: Sequence[Request], count: int, *, width: int
) -> list[list[tuple[Message, TokenRecord]] | Failure]:
    """As `ModelSpeaker.alternatives`, for as many requests at once as `width` messages allow."""
    at_once = max(1, width // count)
    return [
        answer
        for start in range(0, len(requests), at_once)
        for answer in agent.alternatives(requests[start : start + at_once], count)
    ]
