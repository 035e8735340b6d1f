"""The calibrated arm gone on with in rounds, after its user was aligned again."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from stages import run_stage
from understudy.config import CompareConfig, SupportConfig, load_config
from understudy.errors import ConfigError
from understudy.logs.read import read_dialogues
from understudy.models.speaker import ModelSpeaker
from understudy.pipeline.cell import ALIGNED, POPULATION, Cell
from understudy.pipeline.plan import plan
from understudy.pipeline.training import seed_of_tasks
from understudy.scheduler import StageContext
from understudy.speaker import Speaker
from understudy.users.cautious import CautiousSpeaker

SHAPE = {"hidden": 16, "layers": 1, "intermediate": 16, "vocabulary": 300}
CELL = "haggle/seed0"


def config() -> CompareConfig:
    return CompareConfig.model_validate(
        {
            "families": ["haggle"],
            "seeds": [0],
            "arms": ["base", "calibrated"],
            "logs": {"dialogues": 100, "people": 50},
            "model": SHAPE,
            "user_model": SHAPE,
            "unseen_user_model": SHAPE,
            "residual": {"candidates": 1},
            "sampling": {"max_message_tokens": 12},
            "sft": {"steps": 1, "copying_steps": 1},
            "rl": {"steps": 2, "messages_per_step": 16, "min_groups": 1, "group_size": 4},
            "realignment": {"rounds": 2, "dialogues": 12, "steps": 3},
            "judge": {"dialogues": 10, "tuning_dialogues": 10, "shift_dialogues": 10, "shift_min_alive": 10},
        }
    )


def test_each_round_aligns_the_user_on_what_people_said_to_the_agent_as_it_was(tmp_path: Path) -> None:
    stages = {stage.name: stage for stage in plan(config())}
    run_stage(stages, f"{CELL}/judge-calibrated-realigned-2", tmp_path)
    folder = tmp_path / "stages" / CELL
    met = [read_dialogues(folder / f"met-{i}" / "met.jsonl") for i in (1, 2)]
    assert [len(dialogues) for dialogues in met] == [12, 12]
    people = {d.person for dialogues in met for d in dialogues}
    logged = {
        d.person for part in ("align", "agent", "heldout") for d in read_dialogues(folder / "logs" / f"{part}.jsonl")
    }
    assert len(people) == 24
    assert not people & logged
    logs = json.loads((folder / "logs" / "summary.json").read_text())
    for rounds, fitted in ((1, 12), (2, 24)):
        history = json.loads((folder / f"user-realigned-{rounds}" / "history.json").read_text())
        assert history["dialogues"] == logs["align"] + fitted
    judged = json.loads((folder / "judge-calibrated-realigned-2" / "result.json").read_text())
    assert (judged["further"]["rounds"], judged["further"]["realigned"]) == (2, True)
    assert [point["turn"] for point in judged["further"]["contexts"]][:1] == [0]
    assert judged["cost"]["real_dialogues"] == logs["agent"] + logs["align"] + 24
    assert judged["cost"]["optimizer_steps"] == 2 + 3 + 3
    # RL of the arm and of both rounds, its first user and both that were aligned again; each stage is said to take 1.
    assert judged["cost"]["cpu_seconds"] == 6.0


def test_agents_learn_from_users_that_leave_where_they_do_not_know(tmp_path: Path) -> None:
    stages = {stage.name: stage for stage in plan(config())}
    folder = run_stage(stages, f"{CELL}/user-aligned", tmp_path)
    kept = json.loads((folder / "model" / "support.json").read_text())
    assert json.loads((folder / "history.json").read_text())["support"] == kept
    assert kept["quantile"] == 0.99
    said = [
        [m.text for m in d.messages if m.role == "agent"]
        for d in read_dialogues(tmp_path / "stages" / CELL / "logs" / "align.jsonl")
    ]
    counts = sorted(words[:at].count(text) for words in said for at, text in enumerate(words))
    assert kept["repeats"] == counts[math.ceil(0.99 * len(counts)) - 1]
    assert 0 < kept["messages"] < len(counts)  # of the persons that it was not fitted on
    cell = Cell(config(), "haggle", 0)
    context = StageContext(stages[f"{CELL}/calibrated"], tmp_path, tmp_path)
    assert isinstance(cell.user(ALIGNED, context, in_training=True), CautiousSpeaker)
    assert type(cell.user(ALIGNED, context)) is ModelSpeaker  # what would people answer?
    asked = config().model_copy(update={"support": SupportConfig(quantile=None)})
    stages = {stage.name: stage for stage in plan(asked)}
    folder = run_stage(stages, f"{CELL}/user-aligned", tmp_path / "open")
    assert not (folder / "model" / "support.json").exists()


def test_decoding_is_tuned_with_the_user_that_answers_and_contexts_are_those_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []
    user = Cell.user

    def noted(self: Cell, label: str, context: StageContext, *, in_training: bool = False, **more: float) -> Speaker:
        asked.append((label, in_training))
        return user(self, label, context, in_training=in_training, **more)

    monkeypatch.setattr(Cell, "user", noted)
    stages = {stage.name: stage for stage in plan(config())}
    run_stage(stages, f"{CELL}/calibrated", tmp_path)
    assert asked == [(ALIGNED, True)]
    run_stage(stages, f"{CELL}/judge-calibrated", tmp_path)
    assert asked[1:4] == [(ALIGNED, False), (POPULATION, False), (ALIGNED, True)]
    assert not any(in_training for _, in_training in asked[4:])


def test_the_control_trains_on_from_its_own_agent_with_the_same_user() -> None:
    stages = {stage.name: stage for stage in plan(config())}
    for rounds, start in ((1, "calibrated"), (2, "calibrated-continued-1")):
        control = stages[f"{CELL}/calibrated-continued-{rounds}"]
        assert control.kwargs["start"] == f"{CELL}/{start}"
        assert set(control.needs) == {f"{CELL}/{name}" for name in ("logs", start, "user-aligned")}
        # As many new tasks as the agent beside it, and the same ones.
        assert control.kwargs["rounds"] == stages[f"{CELL}/calibrated-realigned-{rounds}"].kwargs["rounds"] == rounds


def test_users_of_all_rounds_share_seeds_and_each_round_has_tasks_of_its_own() -> None:
    """Else a difference from the control were also one of seeds; or an agent would meet the tasks again that it knows."""
    stages = {stage.name: stage for stage in plan(config())}
    labels = {stages[f"{CELL}/user-{name}"].kwargs["label"] for name in ("aligned", "realigned-1", "realigned-2")}
    assert labels == {"aligned"}
    cell = Cell(config(), "haggle", 0)
    assert seed_of_tasks(cell, 0) == cell.seed_of("train")
    assert len({seed_of_tasks(cell, rounds) for rounds in range(3)}) == 3


def test_rounds_go_on_with_the_calibrated_arm() -> None:
    assert not any("realigned" in stage.name for stage in plan(load_config()))
    with pytest.raises(ConfigError, match="lacks calibrated"):
        load_config(overrides=["realignment.rounds=1", "arms=base,static"])
