"""One dialogue or message of a step, for whoever samples the policy's tokens: the same one as the local loop collects."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from understudy.converse_async import hold
from understudy.logs.read import read_dialogues
from understudy.models.load import load_chat_format
from understudy.models.served import Generate, ServedSpeaker
from understudy.runs import MetricsLog, stream_seed
from understudy.speaker import AsyncSpeaker, Failure
from understudy.train.figures import Counted, figures_of
from understudy.train.rollouts import LoggedRollouts, Rollout, rollout_of
from understudy.train.verl.spec import LoopSpec
from understudy.types import FailedDialogue


class Episodes:
    """What the policy learns from in a spec: dialogues with a user, or single messages in logged contexts; any number at once.

    Args:
        user: shared by all dialogues; None where the spec has none.

    Raises:
        ModelError: if the policy's folder cannot be read.
        LogError: if the logs cannot be, or determine no outcome.
    """

    def __init__(self, spec: LoopSpec, user: AsyncSpeaker | None) -> None:
        self.spec, self.user, self.tasks = spec, user, spec.tasks()
        self.format, self.max_length = load_chat_format(spec.agent, "agent")
        self._logged = None if user is not None else _logged(spec)
        self._records = MetricsLog(spec.records / f"{socket.gethostname()}-{os.getpid()}.jsonl")

    async def hold(self, step: int, group: int, member: int, generate: Generate) -> Rollout | None:
        """Member `member` of a group of a step; its figures are written down.

        Returns:
            None if it failed, which is counted, or if the user left before the policy said anything.
        """
        sampling = self.spec.config.sampling
        agent = ServedSpeaker(
            self.format, generate, max_message_tokens=sampling.max_message_tokens, max_length=self.max_length
        )
        ended = await (
            self._converse(step, group, member, agent, self.user)
            if self.user is not None
            else self._answer(step, group, member, agent)
        )
        failed = ended if isinstance(ended, Failure | FailedDialogue) else None
        rollout = ended if isinstance(ended, Rollout) else None
        self._records.append(
            {
                "step": step,
                "failure": failed and failed.reason,
                "fix": failed and failed.fix,
                "counted": None if rollout is None else asdict(Counted.of(rollout)),
            }
        )
        return rollout

    async def _converse(
        self, step: int, group: int, member: int, agent: ServedSpeaker, user: AsyncSpeaker
    ) -> Rollout | FailedDialogue | None:
        appointment = self.tasks.group(step, group, self.spec.config.rl.group_size)[member]
        # Unique in the whole run: a user may still speak in a dialogue of the step before.
        appointment = replace(appointment, key=step * self.spec.rows + appointment.key)
        ended = await hold(self.tasks.family, appointment, agent, user)
        return ended if isinstance(ended, FailedDialogue) else rollout_of(ended, group)

    async def _answer(self, step: int, group: int, member: int, agent: ServedSpeaker) -> Rollout | Failure:
        assert self._logged is not None  # there is no user
        (asked,) = self._logged.asked(step, self.spec.groups, slice(group, group + 1))
        message = await agent.reply(replace(asked.request, seed=stream_seed(asked.request.seed, str(member))))
        record = await agent.finish(asked.request.key)
        if isinstance(message, Failure):
            return message
        assert record is not None  # of the message that was written
        return self._logged.rollout(asked, message, record)


def _logged(spec: LoopSpec) -> LoggedRollouts:
    if spec.logs is None:
        raise ValueError("a spec without a user needs logs")
    return LoggedRollouts(spec.tasks().family, read_dialogues(spec.logs), seed=spec.seed, width=1)


def recorded_figures(folder: Path, steps: Iterable[int]) -> dict[int, dict[str, float]]:
    """The figures of each step (`figures_of`, `dialogues`, `messages`) from what `Episodes` wrote in a folder."""
    counted: dict[int, list[Counted]] = {step: [] for step in steps}
    failed = dict.fromkeys(counted, 0)
    for row in _rows(folder):
        if row["step"] not in counted:
            continue
        failed[row["step"]] += row["failure"] is not None
        if row["counted"] is not None:
            counted[row["step"]].append(Counted(**row["counted"]))
    return {
        step: figures_of(found, failed[step])
        | {"dialogues": len(found), "messages": sum(c.agent_messages for c in found)}
        for step, found in counted.items()
    }


def recorded_failures(folder: Path, step: int, dialogues: int) -> list[Failure]:
    """Of a step in which all of so many dialogues have failed; empty if not all have."""
    rows = [row for row in _rows(folder) if row["step"] == step and row["failure"] is not None]
    return [Failure(row["failure"], row["fix"]) for row in rows] if len(rows) == dialogues else []


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        yield from map(json.loads, path.read_bytes().splitlines())
