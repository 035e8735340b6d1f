"""Dialogues of people on the tasks of a family whose users are a programme otherwise (`logs.path`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from understudy.config import CompareConfig
from understudy.errors import ConfigError, LogError
from understudy.logs.read import read_dialogues
from understudy.pipeline.cell import Cell
from understudy.pipeline.log_parts import split_logs
from understudy.tasks import is_known
from understudy.tasks.base import TaskFamily
from understudy.tasks.heldout import is_for_judging
from understudy.types import Dialogue

_GOALS = 50
"""Goals that are drawn to see what all of a family have."""
_FIX = "give dialogues as `understudy logs sample` writes them for this task: with `family`, `person`, `task` and `outcome`"


@dataclass(frozen=True)
class PeoplesLogs:
    """What people said, by part of the logs.

    Attributes:
        parts: `align`, `agent` and `heldout`; nobody is in two of them.
        left_out: dialogues about tasks that agents are judged on.
    """

    parts: dict[str, list[Dialogue]]
    left_out: int


def read_peoples_logs(cell: Cell) -> PeoplesLogs:
    """The dialogues of the cell's family in `logs.path`, those of other families passed over.

    A file is split by person, as the logs of known users are; the parts of a folder (`understudy logs split`) stay.

    Raises:
        LogError: if a file cannot be read, holds no dialogue of the family, a goal lacks what the family's goals have, an id is
            there twice, or a person in two parts.
        ConfigError: if a share leaves a part without people.
    """
    usable, left_out = _usable(cell)
    return PeoplesLogs(_parts(usable, cell), left_out)


def _usable(cell: Cell) -> tuple[dict[str, list[Dialogue]], int]:
    """The family's dialogues by file, whatever the seed; and how many more are about tasks that agents are judged on."""
    logs, family = cell.config.logs, cell.training_family()
    assert logs.path is not None  # else programmes write them
    given = {part: _of_family(file, family) for part, file in _files(logs.path, logs.shares).items()}
    _refuse_twice((d.task.id for part in given.values() for d in part), logs.path)
    usable = {part: [d for d in found if not is_for_judging(family, d.task)] for part, found in given.items()}
    for part, dialogues in usable.items():
        _refuse_empty(dialogues, logs.path, f"{part}.jsonl" if part else "the file")
    _refuse_shared_people(usable, logs.path)
    return usable, sum(map(len, given.values())) - sum(map(len, usable.values()))


def _parts(usable: Mapping[str, list[Dialogue]], cell: Cell) -> dict[str, list[Dialogue]]:
    return split_logs(usable[""], cell.config.logs, cell.seed_of("split")) if "" in usable else dict(usable)


def check_peoples_logs(config: CompareConfig) -> None:
    """What would be found wrong with them in a stage, before any stage runs.

    Raises:
        ConfigError: if a family brings people's dialogues of its own, these people would have to be met, or fewer dialogues are
            there than a sweep needs.
        LogError: as `read_peoples_logs`; or if the static arm could learn nothing.
    """
    if config.realignment.rounds:
        raise ConfigError(
            "in re-alignment, those who wrote the logs meet the agent, but the people of logs.path cannot be asked",
            where="realignment.rounds",
            fix="set it to 0, or leave logs.path out",
        )
    for name in config.families:
        if not is_known(name):
            raise ConfigError(
                f"the dialogues of {name!r} are those of its data folder", where="logs.path", fix="leave it out"
            )
        cells = [Cell(config, name, seed) for seed in config.seeds]
        family, usable = cells[0].training_family(), _usable(cells[0])[0]  # read once: a seed only splits them
        for cell in cells:
            parts = _parts(usable, cell)
            if config.log_sizes and max(config.log_sizes) > len(parts["align"]):
                raise ConfigError(
                    f"log_sizes holds {max(config.log_sizes)}, more than the alignment part's {len(parts['align'])} dialogues",
                    where="log_sizes",
                    fix="lower it, or give more dialogues in logs.path",
                )
            if "static" in config.arms and not any(family.final_act(d.task, d.messages) for d in parts["agent"]):
                raise LogError(
                    f"none of the {len(parts['agent'])} dialogues for agents has a final act of {name!r}, so that the static "
                    "arm could learn nothing",
                    where=str(config.logs.path),
                    fix="leave static out of arms, or give agents' messages in the task's words (docs/tasks.md)",
                )


def _files(path: Path, parts: Iterable[str]) -> dict[str, Path]:
    """The file of each part; all in one under the empty name."""
    if not path.is_dir():
        return {"": path}
    files = {part: path / f"{part}.jsonl" for part in parts}
    absent = [file.name for file in files.values() if not file.is_file()]
    if absent:
        raise LogError(
            f"lacks {', '.join(absent)}",
            where=str(path),
            fix=f"give one file, or a folder of `understudy logs split` with {', '.join(f.name for f in files.values())}",
        )
    return files


def _of_family(file: Path, family: TaskFamily) -> list[Dialogue]:
    """Those of one family, whose goals are made as its own are."""
    everything = read_dialogues(file)
    found = [d for d in everything if d.task.family == family.name]
    if not found:
        others = sorted({d.task.family for d in everything})
        raise LogError(
            f"holds no dialogue of {family.name!r}, but of {', '.join(map(repr, others))}", where=str(file), fix=_FIX
        )
    rng = np.random.default_rng(0)
    goals = [family.sample_task(rng, "").goal for _ in range(_GOALS)]
    for key in set(goals[0]).intersection(*goals):
        kinds = {type(goal[key]) for goal in goals}
        for dialogue in found:
            goal = dialogue.task.goal
            if key not in goal or (len(kinds) == 1 and kinds < {str, list, dict} and type(goal[key]) not in kinds):
                raise LogError(
                    f"the goal of dialogue {dialogue.task.id!r} has no {key!r} as those of {family.name!r} have",
                    where=str(file),
                    fix=_FIX,
                )
    return found


def _refuse_twice(ids: Iterable[str], path: Path) -> None:
    """Dialogues with one id count as two views of one conversation."""
    seen = set[str]()
    for id in ids:
        if id in seen:
            raise LogError(f"two dialogues have the id {id!r}", where=str(path), fix="give each an id of its own")
        seen.add(id)


def _refuse_empty(dialogues: Sequence[Dialogue], path: Path, name: str) -> None:
    if not dialogues:
        raise LogError(
            f"{name} holds nothing but dialogues about tasks that agents are judged on",
            where=str(path),
            fix="give others",
        )


def _refuse_shared_people(parts: Mapping[str, list[Dialogue]], path: Path) -> None:
    part_of: dict[str, str] = {}
    for part, dialogues in parts.items():
        for dialogue in dialogues:
            if (other := part_of.setdefault(dialogue.person, part)) != part:
                raise LogError(
                    f"{dialogue.person!r} is in {other}.jsonl and in {part}.jsonl",
                    where=str(path),
                    fix="split by person (`understudy logs split`)",
                )
