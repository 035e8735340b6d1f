"""Dialogues of people on a task of ours, in place of those that its programme would write: `logs.path`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from articles import write_articles
from understudy.config import CompareConfig, config_from, load_config
from understudy.errors import ConfigError, LogError, RunError
from understudy.logs.read import read_dialogues, write_dialogues
from understudy.logs.splitting import split_logs
from understudy.pipeline.cell import Cell
from understudy.pipeline.fitting import make_logs
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.pipeline.plan import check_comparison
from understudy.runs import RunFolder
from understudy.scheduler import Stage, StageContext
from understudy.types import Dialogue, Message

PROBLEMS = Path(__file__).resolve().parent / "fixtures" / "gsm8k"
PARTS = ("align", "agent", "heldout")


def people(count: int = 120, persons: int = 30) -> list[Dialogue]:
    """Written by the programme, and told apart from what it writes in a run by their ids and persons."""
    logs = known_logs(known_family("maths", PROBLEMS), count, persons, seed=77)
    return [replace(d, person=f"somebody {d.person}", task=replace(d.task, id=f"chat {n}")) for n, d in enumerate(logs)]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_dialogues(tmp_path / "people.jsonl", people())
    return tmp_path / "people.jsonl"


def config(path: Path, **more: Any) -> CompareConfig:
    logs = {"path": str(path), **more.pop("logs", {})}
    return config_from({"families": ["maths"], "data": str(PROBLEMS), "seeds": [0], "logs": logs, **more})


def parts_of(
    config: CompareConfig, out: Path, family: str = "maths"
) -> tuple[dict[str, list[Dialogue]], dict[str, int]]:
    out.mkdir()
    cell = Cell(config, family, 0)
    make_logs(StageContext(Stage("logs", (), "", {}), out, out), cell)
    return {part: read_dialogues(out / f"{part}.jsonl") for part in PARTS}, json.loads(
        (out / "summary.json").read_text()
    )


def refused(config: CompareConfig, what: str, kind: type[Exception] = LogError) -> Any:
    with pytest.raises(kind, match=what) as caught:
        check_comparison(config)
    assert caught.value.where  # type: ignore[attr-defined]
    assert caught.value.fix  # type: ignore[attr-defined]
    return caught.value


def test_a_file_is_split_by_person_and_nothing_else_is_written(written: Path, tmp_path: Path) -> None:
    check_comparison(config(written))
    parts, counts = parts_of(config(written), tmp_path / "logs")
    given = {d.task.id: d for d in read_dialogues(written)}
    found = [d for part in parts.values() for d in part]
    assert {d.task.id: d for d in found} == given
    assert counts == {part: len(parts[part]) for part in PARTS} | {"left_out": 0}
    persons = [{d.person for d in part} for part in parts.values()]
    # 60%, 30% and 10% of the 30.
    assert list(map(len, persons)) == [18, 9, 3]
    assert len(set().union(*persons)) == 30


def test_the_parts_of_a_folder_stay_as_they_are(written: Path, tmp_path: Path) -> None:
    split_logs(written, tmp_path / "split", dict.fromkeys(PARTS, 1.0), similarity=2)
    given = {part: {d.task.id for d in read_dialogues(tmp_path / "split" / f"{part}.jsonl")} for part in PARTS}
    check_comparison(config(tmp_path / "split"))
    parts, _ = parts_of(config(tmp_path / "split"), tmp_path / "logs")
    assert {part: {d.task.id for d in found} for part, found in parts.items()} == given
    both = [*read_dialogues(tmp_path / "split" / "agent.jsonl"), people()[0]]
    moved = next(d for d in read_dialogues(tmp_path / "split" / "align.jsonl"))
    both[-1] = replace(moved, task=replace(moved.task, id="another"))
    write_dialogues(tmp_path / "split" / "agent.jsonl", both)
    refused(config(tmp_path / "split"), r"'somebody .*' is in align\.jsonl and in agent\.jsonl")
    (tmp_path / "split" / "heldout.jsonl").unlink()
    assert "logs split" in refused(config(tmp_path / "split"), r"lacks heldout\.jsonl").fix


def test_what_agents_are_judged_on_is_left_out_and_counted(written: Path, tmp_path: Path) -> None:
    judged = known_family("maths", PROBLEMS).for_judging()  # type: ignore[attr-defined]
    theirs = [
        replace(d, task=replace(d.task, id=f"judged {n}"), person=f"somebody else {n}")
        for n, d in enumerate(known_logs(judged, 15, 15, seed=1))
    ]
    write_dialogues(written, [*read_dialogues(written), *theirs])
    parts, counts = parts_of(config(written), tmp_path / "logs")
    assert counts["left_out"] == 15
    assert sum(map(len, parts.values())) == 120
    assert not any(d.task.id.startswith("judged") for part in parts.values() for d in part)


def test_an_article_kept_for_judging_is_left_out_too(tmp_path: Path) -> None:
    write_articles(tmp_path / "articles", 60, 20)
    family = known_family("document", tmp_path / "articles")
    judged = known_logs(family.for_judging(), 10, 10, seed=1)  # type: ignore[attr-defined]
    logs = [
        *known_logs(family, 100, 30, seed=2),
        *(replace(d, task=replace(d.task, id=f"judged {n}")) for n, d in enumerate(judged)),
    ]
    write_dialogues(tmp_path / "people.jsonl", logs)
    asked = config(tmp_path / "people.jsonl", families=["document"], data=str(tmp_path / "articles"))
    check_comparison(asked)
    parts, counts = parts_of(asked, tmp_path / "logs", "document")
    assert (sum(map(len, parts.values())), counts["left_out"]) == (100, 10)


def test_each_family_takes_its_own(written: Path, tmp_path: Path) -> None:
    elicit = known_logs(known_family("elicit"), 60, 30, seed=1)
    write_dialogues(written, [*read_dialogues(written), *elicit])
    both = config(written, families=["maths", "elicit"])
    check_comparison(both)
    parts, _ = parts_of(both, tmp_path / "logs", "elicit")
    assert {d.task.id for part in parts.values() for d in part} == {d.task.id for d in elicit}


def changed(how: Callable[[Dialogue], Dialogue]) -> list[Dialogue]:
    return [how(d) for d in people(40, 10)]


def test_what_is_wrong_is_told_before_any_stage_runs(written: Path) -> None:
    refused(config(written, families=["elicit"]), "no dialogue of 'elicit', but of 'maths'")
    write_dialogues(written, changed(lambda d: replace(d, task=replace(d.task, goal={"asked": "?", "answer": "1"}))))
    refused(config(written), "the goal of dialogue 'chat 0' has no 'given' as those of 'maths' have")
    write_dialogues(written, changed(lambda d: replace(d, task=replace(d.task, goal={**d.task.goal, "given": "x"}))))
    refused(config(written), "has no 'given'")
    write_dialogues(written, changed(lambda d: replace(d, task=replace(d.task, id="the same"))))
    refused(config(written), "two dialogues have the id 'the same'")
    # People who never came to an answer that the rule reads teach the static arm nothing.
    said = (Message("user", "how many ?"), Message("agent", "i think 7"), Message("user", "thanks", end=True))
    write_dialogues(written, changed(lambda d: replace(d, messages=said)))
    refused(config(written), r"none of the \d+ dialogues for agents has a final act of 'maths'")
    check_comparison(config(written, arms=["base", "calibrated"]))


def test_a_share_that_leaves_nobody_is_told_by_its_key(written: Path, tmp_path: Path) -> None:
    shares = {"align_share": 0.6, "agent_share": 0.399, "heldout_share": 0.001}
    error = refused(config(written, logs=shares), "logs.heldout_share is 0.001, which leaves .*'heldout'", ConfigError)
    assert (error.where, "of 30 people" in error.what) == ("logs.heldout_share", True)
    generated = config_from({"families": ["haggle"], "logs": {"dialogues": 200, "people": 100, **shares}})
    error = refused(generated, "of 100 people", ConfigError)
    assert (error.where, "logs.people" in error.fix) == ("logs.heldout_share", True)
    # Where only the stage knows how many of the people came, it says the same.
    few = {"dialogues": 100, "people": 100, "align_share": 0.6, "agent_share": 0.394, "heldout_share": 0.006}
    rare = config_from({"families": ["haggle"], "logs": few})
    check_comparison(rare)
    with pytest.raises(ConfigError, match=r"logs\.heldout_share is 0\.006") as caught:
        parts_of(rare, tmp_path / "logs", "haggle")
    assert caught.value.where == "logs.heldout_share"


def test_a_sweep_and_a_corpus_are_checked_against_what_is_there(written: Path) -> None:
    check_comparison(config(written, log_sizes=[20]))
    refused(config(written, log_sizes=[5000]), r"log_sizes holds 5000, more than .* \d+ dialogues", ConfigError)
    realigned = config(written, realignment={"rounds": 1})
    assert refused(realigned, "cannot be asked", ConfigError).where == "realignment.rounds"
    corpus = Path(__file__).parent / "fixtures" / "deal_or_no_deal"
    asked = config(written, families=["negotiate"], data=str(corpus))
    assert refused(asked, "those of its data folder", ConfigError).where == "logs.path"


def test_a_file_that_is_not_there_or_has_changed(written: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("logs:\n  path: absent.jsonl\n")
    with pytest.raises(ConfigError, match=r"logs\.path is 'absent\.jsonl', which does not exist") as caught:
        load_config(recipe)
    assert caught.value.where == f"{recipe}, line 2"
    assert "null" in caught.value.fix
    RunFolder.create(tmp_path / "run", config(written))
    write_dialogues(written, people(50, 10))
    with pytest.raises(RunError, match=r"other input files:\n.*people\.jsonl"):
        RunFolder.create(tmp_path / "run", config(written), resume=True)


@pytest.mark.parametrize("recipe", ["maths", "document"])
def test_the_papers_recipes_ask_for_dialogues_of_people(recipe: str) -> None:
    path = Path(__file__).resolve().parents[1] / "examples" / "paper" / f"{recipe}.yaml"
    with pytest.raises(ConfigError, match=r"logs\.path is .*, which does not exist") as caught:
        load_config(path, preset="pretrained")
    assert caught.value.where.startswith(f"{path}, line ")
