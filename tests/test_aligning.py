"""Which users may start from copying, and which of two fine-tuned users is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from understudy.align.replies import OwnReply
from understudy.config import CompareConfig
from understudy.pipeline import aligning
from understudy.pipeline.cell import copying_stage
from understudy.pipeline.plan import plan
from understudy.scheduler import StageContext

SHAPE = {"hidden": 16, "layers": 1, "intermediate": 16, "vocabulary": 300}


def config(**more: object) -> CompareConfig:
    return CompareConfig.model_validate(
        {
            "families": ["haggle"],
            "seeds": [0],
            "logs": {"dialogues": 100, "people": 50},
            "model": SHAPE,
            "user_model": SHAPE,
            "residual": {"candidates": 1},
            "sampling": {"max_message_tokens": 12},
            "sft": {"steps": 2, "copying_steps": 2, **more},
        }
    )


def needs(settings: CompareConfig, user: str) -> bool:
    (stage,) = (s for s in plan(settings) if s.name == f"haggle/seed0/user-{user}")
    return copying_stage(settings.model) in stage.needs


def test_a_user_of_the_agents_shape_may_start_from_copying() -> None:
    assert needs(config(), "aligned")
    assert not needs(config(), "unseen")
    assert not needs(config(user_start="scratch"), "aligned")


@pytest.mark.parametrize(
    ("scratch", "copying", "kept"), [(0.2, 0.1, "copying"), (0.1, 0.2, "scratch"), (0.1, None, "scratch")]
)
def test_the_start_that_contradicts_less_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scratch: float, copying: float | None, kept: str
) -> None:
    rates = iter([scratch, copying])

    def rate(_: object, replies: object) -> float | None:
        assert all(isinstance(reply, OwnReply) for reply in replies)  # type: ignore[attr-defined]
        return next(rates)

    monkeypatch.setattr(aligning, "contradiction_rate", rate)
    stages = {stage.name: stage for stage in plan(config())}
    wanted = stages["haggle/seed0/user-aligned"]
    for stage in (*(stages[name] for name in wanted.needs), wanted):
        output = tmp_path / "stages" / stage.name
        output.mkdir(parents=True)
        stage.function()(StageContext(stage, tmp_path, output), **stage.kwargs)
    history = json.loads((tmp_path / "stages" / wanted.name / "history.json").read_text())
    assert history["start"] == kept
    assert {name: tried["contradictions"] for name, tried in history["starts"].items()} == {
        "scratch": scratch,
        "copying": copying,
    }
    best = min(epoch["validation_nll"] for epoch in history["epochs"])
    assert history["starts"][kept]["validation_nll"] == best
