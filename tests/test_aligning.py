"""What users start from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.optim import Muon

from stages import run_stage
from understudy.config import CompareConfig, UserModelConfig
from understudy.pipeline.cell import copying_stage
from understudy.pipeline.plan import plan

SHAPE = {"hidden": 16, "layers": 1, "intermediate": 16, "vocabulary": 300}


def config() -> CompareConfig:
    return CompareConfig.model_validate(
        {
            "families": ["haggle"],
            "seeds": [0],
            "logs": {"dialogues": 100, "people": 50},
            "model": SHAPE,
            "user_model": SHAPE,
            "unseen_user_model": {**SHAPE, "heads": 2},
            "residual": {"candidates": 1},
            "sampling": {"max_message_tokens": 12},
            "sft": {"steps": 1, "copying_steps": 2, "learning_rate": 1e-9, "matrix_learning_rate": 1e-9},
        }
    )


def test_all_models_from_scratch_start_from_one_that_can_copy() -> None:
    """Without it a small user of `edit` approves any draft, and a referee could not take over what was agreed."""
    data = Path(__file__).parent / "fixtures" / "deal_or_no_deal"
    both = config().model_copy(update={"families": ("haggle", "negotiate"), "data": data})
    stages = {stage.name: stage for stage in plan(both)}
    shapes = {"base": both.model, "user-aligned": both.user_model, "user-unseen": both.unseen_user_model}
    for family, further in (("haggle", {}), ("negotiate", {"user-referee-0": both.referee_model})):
        for name, shape in (shapes | further).items():
            assert copying_stage(shape) in stages[f"{family}/seed0/{name}"].needs
            assert stages[copying_stage(shape)].kwargs["model"].hidden == shape.hidden


def test_muon_fits_users_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def muon(*given: Any, **settings: Any) -> torch.optim.Optimizer:
        made.append("muon")
        return Muon(*given, **settings)

    monkeypatch.setattr(torch.optim, "Muon", muon)
    stages = {stage.name: stage for stage in plan(config())}
    run_stage(stages, "haggle/seed0/base", tmp_path)
    assert not made
    run_stage(stages, "haggle/seed0/user-aligned", tmp_path)
    assert len(made) == 1
    # Not one that comes pretrained, which goes on as it was trained.
    tuned = UserModelConfig(base=str(tmp_path / "stages/haggle/seed0/user-aligned/model"))
    other = config().model_copy(update={"user_model": tuned})
    run_stage({stage.name: stage for stage in plan(other)}, "haggle/seed0/user-aligned", tmp_path / "other")
    assert len(made) == 1


def test_users_start_from_the_warmed_up_model_of_their_shape(tmp_path: Path) -> None:
    stages = {stage.name: stage for stage in plan(config())}
    aligned, warm = (
        run_stage(stages, name, tmp_path) for name in ("haggle/seed0/user-aligned", copying_stage(config().user_model))
    )
    weights = [
        load_file(folder / "model/model.safetensors")["model.layers.0.mlp.up_proj.weight"] for folder in (aligned, warm)
    ]
    # One step at a rate of nearly nothing leaves a user where it started.
    assert torch.allclose(*weights, atol=1e-6)
    history = json.loads((aligned / "history.json").read_text())
    assert history["dialogues"] == len((tmp_path / "stages/haggle/seed0/logs/align.jsonl").read_text().splitlines())
