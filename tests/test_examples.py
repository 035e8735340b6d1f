"""The examples of the docs, held for real: one's own task with its people, one's own user with a built-in task."""

from __future__ import annotations

import importlib
import json
import math
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from understudy.config import CompareConfig, LogsConfig, RLConfig, SamplingConfig, config_from
from understudy.converse import Appointment, Conversations, converse
from understudy.errors import ConfigError, LogError
from understudy.logs.read import read_dialogues, write_dialogues
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.pipeline.cell import Cell
from understudy.pipeline.fitting import make_logs
from understudy.pipeline.known_logs import known_logs
from understudy.pipeline.plan import check_comparison, plan
from understudy.report import build_report
from understudy.runs import RunFolder, stream
from understudy.scheduler import StageContext, run_stages
from understudy.scheduler.stage import ordered
from understudy.speaker import Speaker
from understudy.tasks import is_known, load_family
from understudy.types import Message
from understudy.users.population import PopulationSpeaker, PromptedSpeaker
from understudy.users.script import ScriptSpeaker

ROOT = Path(__file__).resolve().parents[1]
MEETING = "examples.own_static_arm:MeetingWithStatic"


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def meeting() -> Any:
    return load_family(MEETING)


@pytest.fixture
def own_user() -> ModuleType:
    return importlib.import_module("examples.own_user")


def talk(family: Any, user: Speaker, count: int, width: int = 64) -> Conversations:
    meetings = [Appointment(k, family.sample_task(stream(k, "task"), f"t-{k}"), f"p-{k}", seed=k) for k in range(count)]
    return converse(family, meetings, ScriptSpeaker(family), user, width=width)


def test_training_with_ones_own_user(tiny_model: ChatModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = importlib.import_module("examples.train_with_own_user")
    for side in ("agent", "user"):
        tiny_model.save(tmp_path / side)
    rl = RLConfig(steps=2, messages_per_step=32, group_size=4, min_groups=2, max_groups=4, checkpoint_every=1)
    for _ in range(2):  # the second time goes on after the last step, and gives the same
        folders = tmp_path / "agent", tmp_path / "user", tmp_path / "out"
        sampling = SamplingConfig(width=16, max_message_tokens=4)
        own.train_with_user(MEETING, *folders, rl=rl, sampling=sampling, dialogues=10)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("0 ")
    assert said[-2:] == said[2:4], "the same rewards again"
    assert sum(int(word) for word in said[-1].split() if word.isdigit()) == 10
    assert load_chat_model(tmp_path / "out" / "model").parameters == tiny_model.parameters


@pytest.mark.slow
def test_a_comparison_on_ones_own_logs(meeting: Any, tmp_path: Path) -> None:
    """From a folder of people's dialogues to a report in which a referee judges; no stand-in, so no prompted user."""
    write_dialogues(tmp_path / "logs.jsonl", known_logs(meeting, 300, 100, seed=0))
    config = config_from(
        {
            "families": ["examples.own_corpus:LoggedMeeting"], "data": str(tmp_path), "seeds": [0],
            "arms": ["base", "static", "calibrated", "oracle"],
            "rl": {"steps": 1, "messages_per_step": 32, "min_groups": 2},
            "sft": {"steps": 3, "copying_steps": 2}, "residual": {"candidates": 1},
            "referee": {"candidates": 1, "members": 1},
            **{key: {"hidden": 32, "layers": 1, "heads": 4, "kv_heads": 2, "intermediate": 88, "vocabulary": 320}
               for key in ("model", "user_model", "unseen_user_model", "referee_model")},
            "judge": {"dialogues": 16, "tuning_dialogues": 10, "shift_dialogues": 16, "shift_min_alive": 10},
            "sampling": {"max_message_tokens": 12},
        }
    )  # fmt: skip
    check_comparison(config)
    run = RunFolder.create(tmp_path / "run", config, resume=False)
    run_stages(run, plan(config), jobs=1)
    page = build_report(run.path, out=tmp_path / "report.html").read_text()
    assert "referee (models of people)" in page
    cell = run.path / "stages" / "examples.own_corpus.LoggedMeeting" / "seed0"
    judged = json.loads((cell / "judge-calibrated" / "result.json").read_text())
    assert set(judged["agent_x_user"]) == {"referee (models of people)", "aligned user", "unseen aligned user"}
    # Agents are judged on tasks of people whom no model was fitted on.
    parts = {name: read_dialogues(cell / "logs" / f"{name}.jsonl") for name in ("align", "agent", "referee", "heldout")}
    people = [{d.person for d in dialogues} for dialogues in parts.values()]
    assert sum(map(len, people)) == len(set().union(*people))
    with pytest.raises(ConfigError, match="interactive arm needs a prompted user"):
        check_comparison(config.model_copy(update={"arms": ("base", "interactive")}))
    with pytest.raises(LogError, match=r"docs/logs\.md"):
        load_family("examples.own_corpus:LoggedMeeting", tmp_path / "none")


def test_people_of_ones_own_task(meeting: Any) -> None:
    assert is_known(MEETING)
    held = talk(meeting, PopulationSpeaker(meeting), 300)
    assert not held.failures
    assert {d.outcome.ending for d in held.dialogues} == {"agreed", "left"}
    for d in held.dialogues:
        assert d.outcome.reward == (d.outcome.ending == "agreed")
        assert not any(check.violated for check in meeting.coherence(d.task, d.messages))
        assert all(math.isfinite(p) for p in meeting.population.log_prob_marginal(d.task, d.messages))
    # 3 or 5 of 7 days can be tried, so a script that never tries a day twice succeeds with (3/7 + 5/7) / 2 = 57% of
    # the people; the standard error over 300 dialogues is 2.9 points.
    assert np.mean([d.outcome.reward for d in held.dialogues]) == pytest.approx(4 / 7, abs=0.12)


def test_its_probabilities_are_its_frequencies(meeting: Any) -> None:
    task = meeting.sample_task(stream(0, "task"), "t-0")
    wrong = next(day for i, day in enumerate(("monday", "sunday")) if task.goal["day"] != 6 * i)
    said = (Message("user", "when can we meet ?"), Message("agent", f"how about {wrong} ?"))
    replies = meeting.population.reply(task, said, 3)
    rng, draws = np.random.default_rng(0), 4000
    counts = Counter(replies.sample(rng) for _ in range(draws))
    common = {reply: replies.probability(reply) for reply in counts if replies.probability(reply) > 0.02}
    assert sum(common.values()) > 0.8
    for reply, p in common.items():
        # 5 standard errors: with fewer than ten such replies a false alarm has probability under 1e-5.
        assert counts[reply] / draws == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / draws))


def test_its_static_arm_takes_only_what_the_log_determines(meeting: Any) -> None:
    for d in talk(meeting, PopulationSpeaker(meeting), 40).dialogues:
        act = meeting.final_act(d.task, d.messages)
        assert (act is None) == (d.outcome.ending == "agreed")
        if act is not None:
            days = {
                f"how about {day} ?" for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
            }
            days.add("how about sunday ?")
            earned = [meeting.final_act_reward(d.task, d.messages, act.position, day) for day in sorted(days)]
            assert sorted(earned) == [0.0] * 6 + [1.0]
            assert d.messages[act.position].text.startswith(act.forced)
            assert meeting.final_act_reward(d.task, d.messages, act.position - 2, "how about monday ?") is None


def test_its_stand_in_tells_everything_and_agrees_to_anything(meeting: Any) -> None:
    held = talk(meeting, PromptedSpeaker(meeting), 100)
    assert {d.outcome.ending for d in held.dialogues} == {"agreed"}
    checks = [check for d in held.dialogues for check in meeting.coherence(d.task, d.messages)]
    # The script does not listen: six of seven of its first proposals are wrong, and every one is agreed to.
    assert len(checks) == 100
    assert np.mean([check.violated for check in checks]) == pytest.approx(6 / 7, abs=0.15)


def test_compare_takes_ones_own_task(tmp_path: Path) -> None:
    config = CompareConfig(families=(MEETING,), seeds=(0,), logs=LogsConfig(dialogues=100, people=30))
    cell = Cell(config, MEETING, 0)
    stages = ordered(plan(cell.config))
    first = next(stage for stage in stages if not stage.needs)
    (tmp_path / "out").mkdir()
    make_logs(StageContext(first, tmp_path, tmp_path / "out"), cell)
    logs = [d for part in ("align", "agent", "heldout") for d in read_dialogues(tmp_path / "out" / f"{part}.jsonl")]
    assert len(logs) == 100
    assert {d.task.family for d in logs} == {"meeting"}


def test_a_task_without_final_acts_has_every_arm_but_static() -> None:
    minimal = CompareConfig(
        families=("examples.own_task:Meeting",), seeds=(0,), logs=LogsConfig(dialogues=100, people=30)
    )
    with pytest.raises(ConfigError, match="it has no `final_act`"):
        check_comparison(minimal)
    check_comparison(minimal.model_copy(update={"arms": ("base", "interactive", "calibrated", "oracle")}))
    family = load_family("examples.own_task:Meeting")
    held = talk(family, PopulationSpeaker(family), 20)
    assert not held.failures
    for d in held.dialogues:
        assert (family.shown(d.task, d.messages), family.coherence(d.task, d.messages)) == ("", [])


def test_ones_own_user(own_user: ModuleType) -> None:
    elicit = load_family("elicit")
    held = talk(elicit, own_user.LookupUser(), 60)
    assert not held.failures
    assert talk(elicit, own_user.LookupUser(), 60, width=7).dialogues == held.dialogues
    for d in held.dialogues:
        answers = [m.text for m in d.messages if m.role == "user"]
        assert answers[0] == "a coffee , please"
        wanted = {*d.task.goal["slots"].values(), "hmm", "i have to go"}
        assert {word for answer in answers[1:] for word in answer.split(" and ")} <= wanted
    assert any(d.outcome.reward == 1 for d in held.dialogues)


def test_it_leaves_when_its_patience_is_over(own_user: ModuleType) -> None:
    held = talk(load_family("elicit"), own_user.LookupUser(patience=1), 60)
    assert all(sum(m.role == "agent" for m in d.messages) <= 2 for d in held.dialogues)
    assert {"left", "final"} == {d.outcome.ending for d in held.dialogues}


def test_a_task_that_it_cannot_play_is_a_failure_not_a_reward(own_user: ModuleType, meeting: Any) -> None:
    held = talk(meeting, own_user.LookupUser(), 5)
    assert not held.dialogues
    assert {(f.role, f.reason) for f in held.failures} == {("user", "this user needs a goal with slots")}
