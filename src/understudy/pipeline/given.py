"""What `shift` and `forecast` share: the models and logs that somebody gives, rewards, the results of stages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from understudy.config import SamplingConfig
from understudy.config.base import StageConfig
from understudy.converse import Conversations
from understudy.errors import LogError, ModelError
from understudy.logs.conversation import read_conversations
from understudy.logs.dialogues import as_dialogue
from understudy.logs.read import read_dialogues
from understudy.results import Figure
from understudy.runs import RunFolder, stream
from understudy.stats import bootstrap_interval
from understudy.tasks import KNOWN_USERS, load_family
from understudy.tasks.base import TaskFamily
from understudy.tasks.logged import Logged
from understudy.tasks.negotiate import Negotiate, scenario_of
from understudy.types import Dialogue, Role

C = TypeVar("C", bound="PairConfig")


class PairConfig(StageConfig):
    """An agent, a user and logs."""

    agent: str
    """Folder of the agent's model, or a name that transformers can load."""
    user: str
    """The simulated user's model, likewise."""
    logs: Path
    """Dialogues of real people: a file of `understudy logs import` or `logs sample`, or of a run."""
    seed: int
    """Of what is said, and of the tests."""
    candidates: int
    """Replies that a user with a residual energy writes for each one it says."""
    sampling: SamplingConfig
    """How both speak."""

    def inputs(self) -> list[Path]:
        """What the results depend on and is at hand: the logs, and models that are folders.

        Raises:
            ModelError: if a model is neither a folder nor one that can be reached by its name.
        """
        return [self.logs, *(p for p in (model_folder(self.agent, "agent"), model_folder(self.user, "user")) if p)]


def model_folder(name_or_folder: str, side: Role) -> Path | None:
    """Where a model that somebody named lies; None for one that is reached by its name.

    Raises:
        ModelError: if it is neither.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    from understudy.models.load import load_chat_format

    load_chat_format(folder, side)  # a name: what cannot be reached is told before a folder is made
    return None


@dataclass(frozen=True)
class Asked(Generic[C]):
    """A config with the dialogues that it names, and what they are about."""

    config: C
    logged: list[Dialogue]
    family: TaskFamily

    @property
    def known(self) -> bool:
        """Whether the real users are a programme, so that the truth can be measured as well."""
        return self.family.name in KNOWN_USERS


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


def finished(held: Conversations, who: str) -> list[Dialogue]:
    """The dialogues that were finished, enough for an interval.

    Args:
        who: the two who held them.

    Raises:
        ModelError: if fewer than two were.
    """
    if len(held.dialogues) < 2 and held.failures:
        raise ModelError(
            f"{len(held.dialogues) or 'none'} of {len(held.dialogues) + len(held.failures)} dialogues of {who} could be "
            f"finished: {held.failures[0].reason}",
            fix="for a context that is too short lower sampling.max_message_tokens",
        )
    return held.dialogues


def cpu_seconds(run: RunFolder, stages: Iterable[str]) -> float:
    """Processor time of finished stages together."""
    costs = (json.loads((run.stage(stage) / "cost.json").read_text(encoding="utf-8")) for stage in stages)
    return sum(float(cost["cpu_seconds"]) for cost in costs)
