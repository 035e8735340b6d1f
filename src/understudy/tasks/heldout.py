"""Goals that no log and no training dialogue has: a fixed fifth of every family's goals is kept for judging."""

from __future__ import annotations

import hashlib
import json
from typing import cast

import numpy as np

from understudy.errors import ConfigError
from understudy.tasks.base import KnowsKept, TaskFamily
from understudy.types import Task

_PARTS = 5
_TRIES = 10_000


def is_held_out(task: Task) -> bool:
    """Whether a task's goal belongs to the fifth that is kept for judging, by a hash of the goal alone."""
    digest = hashlib.sha256(json.dumps(task.goal, sort_keys=True).encode()).digest()
    return digest[0] % _PARTS == 0


def is_for_judging(family: TaskFamily, task: Task) -> bool:
    """Whether a task, wherever it comes from, is one that agents are judged on; false where the family cannot tell."""
    if hasattr(family, "for_judging"):
        return hasattr(family, "keeps") and cast(KnowsKept, family).keeps(task)
    return is_held_out(task)


def draw_task(family: TaskFamily, rng: np.random.Generator, id: str, *, held_out: bool | None) -> Task:
    """A task whose goal is held out, or is not; `None` where the family itself keeps its parts apart.

    Raises:
        ConfigError: if the family has no such goal.
    """
    for _ in range(_TRIES):
        task = family.sample_task(rng, id)
        if held_out is None or is_held_out(task) == held_out:
            return task
    raise ConfigError(
        f"{_TRIES} tasks of {family.name} in a row were all {'kept from' if held_out else 'kept for'} judging",
        where="task family",
        fix="give the family more than a handful of goals; one in five is kept for judging",
    )
