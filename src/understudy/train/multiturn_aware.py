"""Multiturn-aware reward: what a message is worth is what the dialogue that follows it earns, found by forward sampling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from understudy.converse import Appointment, converse
from understudy.dialogue import dialogue as turns_of
from understudy.errors import LogError
from understudy.models.speaker import ModelSpeaker
from understudy.runs import stream_seed
from understudy.speaker import Failure, Request, Speaker
from understudy.tasks.base import TaskFamily
from understudy.train.rollouts import WHOLE, Collected, Rollout, alternatives_in_batches, drawn_contexts
from understudy.types import WALK_OUTS, Dialogue, Message, TokenRecord, Trace

_LEFT_TO_SAY = 2
"""Messages that an agent about has left after a message of a log, for the size of the first step."""


@dataclass(frozen=True, slots=True)
class _Context:
    """The agent's turn at one place of a logged dialogue."""

    dialogue: Dialogue
    position: int

    @property
    def said(self) -> tuple[Message, ...]:
        return tuple(self.dialogue.messages[: self.position])

    @property
    def agent_turn(self) -> int:
        """Messages that the agent had written before."""
        return sum(m.role == "agent" for m in self.said)


@dataclass(frozen=True, slots=True)
class _Alternative:
    """One way to write the next message of a context."""

    group: int
    context: _Context
    message: Message
    record: TokenRecord


class MultiturnAwareRollouts:
    """Logged contexts, fixed; the policy writes the next message at any turn, and the dialogue goes on from each alternative.

    Source: the multiturn-aware reward of CollabLLM (Wu et al. 2025, arXiv 2502.00640): the expected reward of the whole
    conversation given the message, estimated by forward sampling with a user over a window of turns; a penalty on tokens
    stands for its efficiency term. So a message that is not the last one has credit of its own, and nothing but that message
    is trained. Dropped: the LLM judge in the reward, and the cap on the penalty. The continuations are of the *current*
    policy, as in its online variant; contexts are logged, as its own are generated beforehand, so policy-induced shift remains.

    The reward of an alternative is the mean over its `samples` continuations of

        reward of the dialogue - token_penalty * reward_max * tokens of the agent from the alternative on

    A window that closes before the dialogue is over ends it as the turn limit does. Alternatives of one context share the
    seeds of their continuations (common random numbers): two that say the same are worth the same. Continuations that fail
    are left out of the mean and counted, and so is an alternative without any.

    Args:
        family: gives the reward.
        dialogues: whose agent turns are the contexts; each turn is as likely as any other.
        user: who answers in the continuations.
        samples: continuations of each alternative, at least 1.
        turns: most further messages of the agent in a continuation; 0 ends each dialogue with the alternative.
        token_penalty: in [0, 1], per token, as a share of the family's largest reward.
        seed: of the contexts, alternatives and continuations.

    Raises:
        LogError: if no dialogue comes to a turn of the agent.
    """

    def __init__(
        self,
        family: TaskFamily,
        dialogues: Sequence[Dialogue],
        user: Speaker,
        *,
        samples: int,
        turns: int,
        token_penalty: float,
        seed: int,
        width: int,
    ) -> None:
        self.family, self.user = family, user
        self.samples, self.turns, self.token_penalty = samples, turns, token_penalty
        self.seed, self.width = seed, width
        self.messages_per_rollout = 1.0 + samples * min(turns, _LEFT_TO_SAY)
        self.contexts = [context for d in dialogues for context in _contexts(family, d)]
        if not self.contexts:
            raise LogError(
                f"none of {len(dialogues)} dialogues holds a message of the agent",
                where="multiturn-aware arm",
                fix="leave `multiturn-aware` out of arms, or give logs in which the agent speaks",
            )

    def collect(self, agent: ModelSpeaker, step: int, groups: int, group_size: int, part: slice = WHOLE) -> Collected:
        contexts = drawn_contexts(self.contexts, self.seed, step, groups, part)
        requests = [self._request(context, step, group) for group, context in contexts]
        answers = alternatives_in_batches(agent, requests, group_size, width=self.width)
        alternatives = [
            _Alternative(group, context, message, record)
            for (group, context), answer in zip(contexts, answers, strict=True)
            if not isinstance(answer, Failure)
            for message, record in answer
        ]
        meetings = (meeting for place, a in enumerate(alternatives) for meeting in self._meetings(a, place, step))
        held = converse(self.family, meetings, agent, self.user, width=self.width)
        continued: dict[int, list[Trace]] = {}
        for trace in held.traces:
            continued.setdefault(trace.key // self.samples, []).append(trace)
        rollouts = [self._rollout(alternatives[place], traces) for place, traces in sorted(continued.items())]
        unwritten = [answer for answer in answers if isinstance(answer, Failure)] * group_size * self.samples
        return Collected(rollouts, [*unwritten, *held.failures])

    def _request(self, context: _Context, step: int, group: int) -> Request:
        return Request(
            key=group,
            role="agent",
            prompt=context.dialogue.task.agent_prompt,
            messages=context.said,
            seed=stream_seed(self.seed, "dialogue", f"{step}-{group}"),
        )

    def _meetings(self, alternative: _Alternative, place: int, step: int) -> Iterator[Appointment]:
        context = alternative.context
        for sample in range(self.samples):
            yield Appointment(
                place * self.samples + sample,
                context.dialogue.task,
                context.dialogue.person,
                stream_seed(self.seed, "forward", f"{step}-{alternative.group}", str(sample)),
                (*context.said, alternative.message),
                most_agent_turns=context.agent_turn + 1 + self.turns,
            )

    def _rollout(self, alternative: _Alternative, continuations: Sequence[Trace]) -> Rollout:
        own = sum(alternative.record.sampled)
        # What the policy is given of the alternative itself is not sampled there.
        further = [sum(trace.agent.sampled) if trace.agent is not None else 0 for trace in continuations]
        price = self.token_penalty * self.family.reward_max
        rewards = [
            trace.dialogue.outcome.reward - price * (own + tokens)
            for trace, tokens in zip(continuations, further, strict=True)
        ]
        written = sum(m.role == "agent" for trace in continuations for m in trace.dialogue.messages)
        return Rollout(
            record=alternative.record,
            reward=float(np.mean(rewards)),
            group=alternative.group,
            agent_messages=1,
            walked_out=float(np.mean([trace.dialogue.outcome.ending in WALK_OUTS for trace in continuations])),
            forward_messages=written - len(continuations) * (alternative.context.agent_turn + 1),
            forward_tokens=sum(further),
        )


def _contexts(family: TaskFamily, logged: Dialogue) -> Iterator[_Context]:
    """The agent's turns that a dialogue under the family's rules comes to; a log may go on beyond them."""
    turns = turns_of(family, logged.task, logged.person)
    role, _ = next(turns)
    for position, message in enumerate(logged.messages):
        if role == "agent":
            yield _Context(logged, position)
        try:
            role, _ = turns.send(message)
        except StopIteration:
            return
