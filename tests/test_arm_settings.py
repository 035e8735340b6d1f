"""What an arm trains with: the KL penalty of the config, and none for the oracle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from understudy.config import RLConfig, load_config
from understudy.models.chat_model import ChatModel
from understudy.pipeline import training
from understudy.pipeline.cell import POPULATION, PROMPTED, Cell
from understudy.scheduler import Stage, StageContext
from understudy.train.figures import Budget


def test_the_oracle_alone_has_no_penalty() -> None:
    cell = Cell(load_config(overrides=["rl.kl_weight=0.4"]), "edit", 0)
    for arm in ("static", "interactive", "calibrated", "multiturn-aware"):
        assert cell.rl(arm) == cell.config.rl
    assert cell.rl("oracle") == cell.config.rl.model_copy(update={"kl_weight": 0.0})


def test_training_is_given_the_weight_of_its_arm(
    tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []

    def noted(
        policy: ChatModel, speaker: object, source: object, config: RLConfig, *, scratch: Path, **_: object
    ) -> Budget:
        given.append(config.kl_weight)
        (scratch / "metrics.jsonl").touch()
        return Budget()

    monkeypatch.setattr(training, "train", noted)
    cell = Cell(load_config(overrides=["rl.kl_weight=0.15"]), "haggle", 0)
    tiny_model.save(tmp_path / "stages" / cell.stage("base") / "model")
    for arm, user in (("interactive", PROMPTED), ("oracle", POPULATION)):
        output = tmp_path / arm
        output.mkdir()
        stage = Stage(cell.stage(arm), (cell.stage("base"),), "", {}, "")
        training.train_arm(StageContext(stage, tmp_path, output, lambda *_: None), cell, arm=arm, user=user)
    assert given == [0.15, 0.0]
    kept = [
        json.loads((tmp_path / arm / "settings.json").read_text())["kl_weight"] for arm in ("interactive", "oracle")
    ]
    assert kept == given
