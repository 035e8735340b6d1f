from __future__ import annotations

import json

import numpy as np
import pytest

from conftest import ColourFamily
from understudy.errors import ConfigError
from understudy.evaluate.judge import appointments
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.tasks import KNOWN_USERS
from understudy.tasks.heldout import draw_task, is_held_out
from understudy.types import Task


@pytest.mark.parametrize("name", KNOWN_USERS)
def test_no_judged_goal_is_in_the_logs_or_in_training(name: str) -> None:
    family = known_family(name)
    judged = {goal(a.task) for a in appointments(family, 150, 1, "heldout", held_out=True)}
    trained = {goal(a.task) for a in appointments(family, 300, 1, "train", held_out=False)}
    logged = {goal(d.task) for d in known_logs(family, 200, 40, seed=1)}
    assert judged.isdisjoint(trained | logged)


def test_about_a_fifth_is_held_out() -> None:
    family = known_family("elicit")
    share = np.mean([is_held_out(family.sample_task(np.random.default_rng(i), str(i))) for i in range(2000)])
    # Goals repeat, so this is looser than binomial: 1 in 5 within .05.
    assert share == pytest.approx(0.2, abs=0.05)


def test_a_family_with_too_few_goals_is_told() -> None:
    class OneGoal(ColourFamily):
        def sample_task(self, rng: np.random.Generator, id: str) -> Task:
            return Task("one", id, "", "", {"colour": "red"})

    only = is_held_out(OneGoal().sample_task(np.random.default_rng(0), "x"))
    with pytest.raises(ConfigError, match="one in five"):
        draw_task(OneGoal(), np.random.default_rng(0), "x", held_out=not only)


def goal(task: Task) -> str:
    return json.dumps(task.goal, sort_keys=True)
