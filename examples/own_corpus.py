"""A task on logs of one's own: people's dialogues in a folder, a reward by rule, and users known by their words alone.

A referee, fitted on a part of the dialogues that nobody else sees, stands for people when agents are judged:

    understudy logs sample examples.own_task:Meeting --dialogues 1000 --out meetings/logs.jsonl     # or logs of your own
    PYTHONPATH=. understudy compare --task examples.own_corpus:LoggedMeeting --data meetings --seed 0 --out runs/meetings \\
      --set 'arms=[base,static,calibrated,oracle]'
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from examples.own_static_arm import MeetingWithStatic as Meeting

from understudy.errors import LogError
from understudy.logs.read import read_dialogues
from understudy.logs.split import split_by_person
from understudy.tasks.base import Corpus
from understudy.types import Dialogue, Task


class LoggedMeeting:
    """The rules of `Meeting`, with people who are known by their dialogues alone; a tenth of them is kept for judging."""

    name, summary, reward_name, reward_max, max_agent_turns = (
        Meeting.name, Meeting.summary, Meeting.reward_name, Meeting.reward_max, Meeting.max_agent_turns
    )  # fmt: skip
    # What a task of your own would have to say: when a dialogue is over, and what it earned.
    ending, outcome, shown = Meeting.ending, Meeting.outcome, Meeting.shown
    final_act, final_act_reward, coherence = Meeting.final_act, Meeting.final_act_reward, Meeting.coherence

    def __init__(self, train: Sequence[Dialogue], validation: Sequence[Dialogue]) -> None:
        self.train, self.validation = list(train), list(validation)

    @classmethod
    def from_folder(cls, path: Path) -> LoggedMeeting:
        """Reads `logs.jsonl`, in the form of docs/logs.md with `task` and `outcome`."""
        file = path / "logs.jsonl"
        if not file.is_file():
            raise LogError("is not there", where=str(file), fix="put your dialogues there (docs/logs.md, the record)")
        parts = split_by_person(read_dialogues(file), {"train": 0.9, "validation": 0.1}, seed=0)
        return cls(parts["train"], parts["validation"])

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        """A logged task."""
        return self.train[int(rng.integers(len(self.train)))].task

    def corpus(self, seed: int) -> Corpus:
        return Corpus(self.train, self.validation)

    def for_judging(self) -> LoggedMeeting:
        return LoggedMeeting(self.validation, self.validation)
