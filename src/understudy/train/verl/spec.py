"""What the processes of a verl run need to know, as one file that all of them read."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from understudy.config import CompareConfig
from understudy.errors import RunError
from understudy.tasks import load_family
from understudy.train.rollouts import TrainingTasks
from understudy.users.spec import UserSpec


class LoopSpec(BaseModel):
    """Whose dialogues are held, and about what. All paths are absolute, and on a disk that every machine of the run sees.

    Attributes:
        config: the run's.
        family: name of the task family.
        seed, held_out: see `TrainingTasks`.
        user: who the policy talks with; None where it writes single messages in logged contexts.
        logs: people's dialogues with the agent, whose contexts these are.
        agent: folder with the policy's tokenizer and `config.json`; its weights are verl's affair.
        groups: tasks per step.
        records: folder that the figures of each dialogue are written to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: CompareConfig
    family: str
    seed: int
    held_out: bool | None
    user: UserSpec | None
    logs: Path | None = None
    agent: Path
    groups: int
    records: Path

    @classmethod
    def read(cls, path: Path) -> Self:
        """The spec in a file.

        Raises:
            RunError: if there is none, or it was not written by this version.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise RunError(f"is not what verl's workers read: {error}", where=str(path), fix="run again") from error

    def tasks(self) -> TrainingTasks:
        return TrainingTasks(load_family(self.family, self.config.data), self.seed, self.held_out)

    @property
    def rows(self) -> int:
        """Dialogues per step."""
        return self.groups * self.config.rl.group_size
