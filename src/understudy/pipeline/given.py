"""What `shift` and `forecast` share: logs that somebody gives to be measured against, progress, rewards."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from understudy.errors import LogError
from understudy.logs.conversation import read_conversations
from understudy.logs.dialogues import as_dialogue
from understudy.logs.read import read_dialogues
from understudy.results import Figure
from understudy.runs import stream
from understudy.stats import bootstrap_interval
from understudy.tasks import KNOWN_USERS, load_family
from understudy.tasks.base import TaskFamily
from understudy.tasks.logged import Logged
from understudy.tasks.negotiate import Negotiate, scenario_of
from understudy.types import Dialogue

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def read_logs(path: Path, *, at_least: int, at_most: int | None, seed: int) -> list[Dialogue]:
    """Dialogues with their tasks where the file has them, else as anybody logged them.

    Args:
        at_most: where there are more, so many are drawn at random; None takes all.

    Raises:
        LogError: if the file cannot be read, or holds fewer than `at_least`.
    """
    logged = _read(path)
    if len(logged) < at_least:
        raise LogError(
            f"holds {len(logged)} dialogues, too few to compare anything",
            where=str(path),
            fix=f"give at least {at_least}, better a thousand",
        )
    chosen = stream(seed, "dialogues").permutation(len(logged))[:at_most]
    return [logged[i] for i in sorted(chosen)]


def _read(path: Path) -> list[Dialogue]:
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(next((line for line in file if line.strip()), "{}"))
    except (OSError, ValueError):
        first = {}  # the readers say what is wrong, and where
    if isinstance(first, dict) and {"family", "task", "outcome"} <= first.keys():
        return read_dialogues(path)
    return [as_dialogue(conversation) for conversation in read_conversations(path)]


def family_of(logged: Sequence[Dialogue], heard_words: int | None, logs: Path) -> TaskFamily:
    """The family that the logs name, where there is such a one; else logs without rules."""
    names = {d.task.family for d in logged}
    name = names.pop() if len(names) == 1 else ""
    try:
        if name == Negotiate.name:
            return Negotiate([scenario_of(d.task.goal) for d in logged])
        if name in KNOWN_USERS:
            family = load_family(name)
            for dialogue in logged:
                family.coherence(dialogue.task, dialogue.messages)  # reads every part of a goal
            return family
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise LogError(
            f"a dialogue says that it is of {name!r}, but its goal is not ({error!r})",
            where=str(logs),
            fix="give the logs as they were written, or leave out their tasks",
        ) from error
    return Logged(logged, heard_words)


def reward_of(dialogues: Sequence[Dialogue], seed: int) -> Figure:
    """Mean reward with its 95% bootstrap interval over dialogues."""
    found = bootstrap_interval(np.array([d.outcome.reward for d in dialogues]), stream(seed, "reward"))
    return Figure(mean=found.mean, low=found.low, high=found.high)
