"""One dialogue of a step, held for whoever samples the policy's tokens: the same one as the local loop collects."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from understudy.converse_async import hold
from understudy.models.load import load_chat_format
from understudy.models.served import Generate, ServedSpeaker
from understudy.runs import MetricsLog
from understudy.speaker import AsyncSpeaker, Failure
from understudy.train.figures import Counted, figures_of
from understudy.train.rollouts import Rollout, rollout_of
from understudy.train.verl.spec import LoopSpec
from understudy.types import FailedDialogue


class Episodes:
    """Holds the dialogues of a spec, any number of them at once.

    Args:
        user: shared by all of them.

    Raises:
        ModelError: if the policy's folder cannot be read.
    """

    def __init__(self, spec: LoopSpec, user: AsyncSpeaker) -> None:
        self.spec, self.user, self.tasks = spec, user, spec.tasks()
        self.format, self.max_length = load_chat_format(spec.agent, "agent")
        self._records = MetricsLog(spec.records / f"{socket.gethostname()}-{os.getpid()}.jsonl")

    async def hold(self, step: int, group: int, member: int, generate: Generate) -> Rollout | None:
        """Hold dialogue `member` of a group of a step, and write its figures down.

        Returns:
            None if it failed, which is counted, or if the user left before the policy said anything.
        """
        sampling = self.spec.config.sampling
        agent = ServedSpeaker(
            self.format, generate, max_message_tokens=sampling.max_message_tokens, max_length=self.max_length
        )
        appointment = self.tasks.group(step, group, self.spec.config.rl.group_size)[member]
        # Unique in the whole run: a user may still speak in a dialogue of the step before.
        appointment = replace(appointment, key=step * self.spec.rows + appointment.key)
        ended = await hold(self.tasks.family, appointment, agent, self.user)
        rollout = None if isinstance(ended, FailedDialogue) else rollout_of(ended, group)
        self._records.append(
            {
                "step": step,
                "failure": ended.reason if isinstance(ended, FailedDialogue) else None,
                "fix": ended.fix if isinstance(ended, FailedDialogue) else None,
                "counted": None if rollout is None else asdict(Counted.of(rollout)),
            }
        )
        return rollout


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
