"""What users start from."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from understudy.config import CompareConfig
from understudy.pipeline.cell import copying_stage
from understudy.pipeline.plan import plan
from understudy.scheduler import Stage, StageContext

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
            "sft": {"steps": 1, "copying_steps": 2, "learning_rate": 1e-9},
        }
    )


def test_all_models_of_a_corpus_start_from_one_that_can_copy() -> None:
    """People's negotiations are too few to learn it from: a referee from scratch could not take over what was agreed."""
    data = Path(__file__).parent / "fixtures" / "deal_or_no_deal"
    both = config().model_copy(update={"families": ("haggle", "negotiate"), "data": data})
    stages = {stage.name: stage for stage in plan(both)}
    for shape in (both.model, both.referee_model, both.unseen_user_model):
        assert stages[copying_stage(shape)].kwargs["model"] == shape
    for user, shape in (("referee-0", both.referee_model), ("unseen", both.unseen_user_model)):
        assert copying_stage(shape) in stages[f"negotiate/seed0/user-{user}"].needs
    assert copying_stage(both.unseen_user_model) not in stages["haggle/seed0/user-unseen"].needs


def test_users_of_the_agents_shape_start_from_the_warmed_up_model(tmp_path: Path) -> None:
    stages = {stage.name: stage for stage in plan(config())}
    warm = copying_stage(config().model)
    aligned, unseen = stages["haggle/seed0/user-aligned"], stages["haggle/seed0/user-unseen"]
    assert warm in aligned.needs
    assert warm not in unseen.needs

    def run(stage: Stage) -> Path:
        output = tmp_path / "stages" / stage.name
        if not output.exists():
            for name in stage.needs:
                run(stages[name])
            output.mkdir(parents=True)
            stage.function()(StageContext(stage, tmp_path, output), **stage.kwargs)
        return output

    folders = [run(stages[name]) for name in (aligned.name, warm, unseen.name)]
    weights = [load_file(folder / "model/model.safetensors")["model.layers.0.mlp.up_proj.weight"] for folder in folders]
    # One step at a rate of nearly nothing leaves a user where it started.
    assert torch.allclose(weights[0], weights[1], atol=1e-6)
    assert not torch.allclose(weights[1], weights[2], atol=1e-6)
    history = json.loads((tmp_path / "stages" / aligned.name / "history.json").read_text())
    assert history["dialogues"] == len((tmp_path / "stages/haggle/seed0/logs/align.jsonl").read_text().splitlines())
