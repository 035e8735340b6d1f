"""What an arm trains with: the KL penalty of its task or of the config, and none for the oracle."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from understudy.config import RLConfig, load_config
from understudy.errors import ConfigError
from understudy.models.chat_model import ChatModel
from understudy.pipeline import training
from understudy.pipeline.cell import POPULATION, PROMPTED, Cell
from understudy.pipeline.plan import check_comparison
from understudy.scheduler import Stage, StageContext
from understudy.tasks import load_family
from understudy.train.figures import Budget


@pytest.mark.parametrize(
    ("family", "overrides", "expected"),
    [
        ("haggle", [], 0.15),
        ("elicit", [], 0.05),
        ("edit", [], 0.0),
        ("haggle", ["rl.kl_weight=0"], 0.0),
        ("edit", ["rl.kl_weight=0.4"], 0.4),
    ],
)
def test_the_config_comes_before_the_task(family: str, overrides: list[str], expected: float) -> None:
    cell = Cell(load_config(overrides=overrides), family, 0)
    for arm in ("static", "interactive", "calibrated", "multiturn-aware"):
        assert cell.rl(arm).kl_weight == expected
    assert cell.rl("oracle").kl_weight == 0.0
    assert cell.rl("static") == cell.config.rl.model_copy(update={"kl_weight": expected})


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
    cell = Cell(load_config(), "haggle", 0)
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


@pytest.mark.parametrize("weight", [-0.1, 101, True, "much", math.nan])
def test_what_is_no_weight_is_refused_before_any_stage(weight: object, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(overrides=["families=haggle"])
    check_comparison(config)
    monkeypatch.setattr(type(load_family("haggle")), "kl_weight", weight)
    with pytest.raises(ConfigError, match="'haggle' has kl_weight = "):
        check_comparison(config)
