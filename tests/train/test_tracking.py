"""Learning curves are told to trackers as they are written down, and a run that goes on is the same curve."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from understudy.config import Tracker
from understudy.errors import ConfigError
from understudy.train.tracking import tracking

STAGE = "elicit/seed0/calibrated"


def tell(tracker: Tracker | None, run: Path, steps: range, shift: float = 0.0) -> None:
    with tracking(tracker, run, STAGE) as track:
        for step in steps:
            track(step, {"step": step, "reward": step / 10 + shift, "loss": math.nan})


def test_tensorboard_shows_a_run_that_was_killed_and_went_on_as_one_curve(tmp_path: Path) -> None:
    tell("tensorboard", tmp_path, range(4))
    tell("tensorboard", tmp_path, range(2, 6), shift=1.0)
    found = EventAccumulator(str(tmp_path / "shared" / "tensorboard" / STAGE), purge_orphaned_data=True).Reload()
    assert found.Tags()["scalars"] == ["reward"], "what is not finite is left out"
    curve = [(event.step, event.value) for event in found.Scalars("reward")]
    assert curve == [(step, pytest.approx(value)) for step, value in enumerate((0, 0.1, 1.2, 1.3, 1.4, 1.5))]


@pytest.mark.parametrize("tracker", ["wandb", "trackio"])
def test_others_are_begun_under_the_runs_name_and_ended(
    tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, Any]] = []
    told: list[Any] = []

    def init(**keywords: Any) -> SimpleNamespace:
        begun.append(keywords)
        return SimpleNamespace(
            log=lambda figures, step: told.append((step, figures)), finish=lambda: told.append("finished")
        )

    monkeypatch.setitem(sys.modules, tracker, SimpleNamespace(init=init))  # type: ignore[arg-type]
    for _ in range(2):
        tell(tracker, tmp_path / "mine", range(2))
    assert told == [(0, {"reward": 0.0}), (1, {"reward": 0.1}), "finished"] * 2
    assert begun[0] == begun[1], "a run that goes on is known again"
    assert (begun[0]["project"], begun[0]["name"], begun[0]["resume"]) == ("understudy", f"mine/{STAGE}", "allow")
    tell(tracker, tmp_path / "other" / "mine", range(1))
    assert (begun[2] != begun[0]) == (tracker == "wandb"), "told from another run of the same name by its id"


def test_nobody_is_told_where_nobody_was_asked_for(tmp_path: Path) -> None:
    tell(None, tmp_path, range(2))
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match="pip install wandb"), tracking("wandb", tmp_path, STAGE):
        pass
