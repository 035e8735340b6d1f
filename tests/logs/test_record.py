"""One JSON object per dialogue: exact round trip, and errors that name file, line and key."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.errors import LogError, RunError
from understudy.logs.read import read_dialogues, write_dialogues
from understudy.logs.record import from_record, to_record
from understudy.types import Dialogue, Message, Outcome, Task

DIALOGUE = Dialogue(
    Task("elicit", "t-1", "you sell hats", "you want a red hat", {"slots": {"colour": "red"}, "n": [1, 2]}),
    "person-7",
    (Message("user", "a hat, “bitte” ☂"), Message("agent", "which colour ?"), Message("user", "", end=True)),
    Outcome(0.25, "left", {"questions": 1, "share": 0.5}),
)


def test_the_record_is_the_openai_form() -> None:
    assert to_record(DIALOGUE) == {
        "id": "t-1",
        "family": "elicit",
        "person": "person-7",
        "messages": [
            {"role": "user", "content": "a hat, “bitte” ☂"},
            {"role": "assistant", "content": "which colour ?"},
            {"role": "user", "content": "", "end": True},
        ],
        "task": {
            "agent_prompt": "you sell hats",
            "user_prompt": "you want a red hat",
            "goal": {"slots": {"colour": "red"}, "n": [1, 2]},
            "opener": "user",
        },
        "outcome": {"reward": 0.25, "ending": "left", "details": {"questions": 1, "share": 0.5}},
    }


def test_whatever_counts_as_a_number_in_an_outcome_can_be_read_again(tmp_path: Path) -> None:
    """A family of one's own may count in booleans or in numpy's numbers."""
    rewards = (np.float32(0.25), np.float32(0.5))
    said = (*DIALOGUE.messages[:2], Message("user", "red"), Message("agent", "take red"))
    outcome = Outcome(np.float32(0.75), "left", {"solved": True, "turns": np.int64(2)}, turn_rewards=rewards)
    write_dialogues(tmp_path / "logs.jsonl", [replace(DIALOGUE, messages=said, outcome=outcome)])
    (found,) = read_dialogues(tmp_path / "logs.jsonl")
    assert found.outcome == Outcome(0.75, "left", {"solved": 1.0, "turns": 2.0}, turn_rewards=(0.25, 0.5))


def test_files_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    left_at_once = Dialogue(
        Task("f", "t-2", "", "", {}, opener="agent"),
        "p",
        (Message("agent", "", end=True),),
        Outcome(0.0, "agent ended"),
    )
    beside = replace(
        DIALOGUE, messages=(replace(DIALOGUE.messages[0], shown="offered 4", public="x"), *DIALOGUE.messages[1:])
    )
    by_turn = replace(DIALOGUE, outcome=Outcome(0.25, "left", {}, turn_rewards=(0.25,)))
    write_dialogues(path, [DIALOGUE, left_at_once, beside, by_turn])
    assert read_dialogues(path) == [DIALOGUE, left_at_once, beside, by_turn]
    assert [file.name for file in tmp_path.iterdir()] == ["logs.jsonl"]


def test_a_leading_system_message_is_the_agents_prompt() -> None:
    record = to_record(DIALOGUE)
    record["messages"].insert(0, {"role": "system", "content": "you sell hats"})
    assert from_record(record) == DIALOGUE
    del record["task"]["agent_prompt"]
    assert from_record(record) == DIALOGUE
    record["task"]["agent_prompt"] = "you sell shoes"
    with pytest.raises(LogError, match=r"messages\[0\].content the system message is not task.agent_prompt"):
        from_record(record)


def _set(*path: Any, value: Any) -> Any:
    def edit(record: dict[str, Any]) -> None:
        inner: Any = record
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return edit


def _drop(*path: Any) -> Any:
    def edit(record: dict[str, Any]) -> None:
        inner: Any = record
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_set("messages", 1, "role", value="bot"), "messages[1].role 'bot' is not allowed here"),
        (_set("messages", 1, "role", value="system"), "messages[1].role 'system' is not allowed here"),
        (_set("messages", 1, "role", value="user"), "messages[1] follows another message of the same side (user)"),
        (_set("messages", 1, "content", value=""), "messages[1].content is empty, and the message does not end"),
        (_set("messages", 1, "content", value=None), "messages[1].content is None"),
        (_set("messages", 0, "end", value=True), "messages[1] comes after a message that ended"),
        (_set("messages", 1, "shown", value=3), "messages[1].shown is 3"),
        (_set("messages", 2, "end", value=1), "messages[2].end is 1"),
        (_set("messages", value=[{"role": "user", "content": "hi"}]), "nothing is said by the assistant side"),
        (_set("messages", value=[]), "nothing is said by the assistant and user side"),
        (_set("messages", value="hi"), "messages is 'hi'"),
        (_set("messages", 0, value="hi"), "messages[0] is 'hi', not an object"),
        (_set("task", "opener", value="assistant"), "task.opener 'assistant' is no side"),
        (_set("task", "opener", value="agent"), "task.opener is agent, but the first message is the user's"),
        (_drop("task", "goal"), "task.goal is missing"),
        (_drop("person"), "person is missing"),
        (_set("outcome", "reward", value=True), "outcome.reward is True"),
        (_set("outcome", "reward", value=float("nan")), "outcome.reward is nan"),
        (_set("outcome", "details", "share", value="much"), "outcome.details.share is 'much'"),
        (_set("outcome", "turn_rewards", value=["0.25"]), "outcome.turn_rewards holds something else"),
        (_set("outcome", "turn_rewards", value=[True]), "outcome.turn_rewards holds something else"),
        (_set("outcome", "turn_rewards", value=[0.25, 1]), "outcome.turn_rewards holds 2 rewards for 1 messages"),
        (_set("outcome", "turn_rewards", value=[1]), "outcome.turn_rewards does not sum to outcome.reward"),
    ],
)
def test_a_bad_record_names_file_line_and_key(tmp_path: Path, edit: Any, message: str) -> None:
    bad = copy.deepcopy(to_record(DIALOGUE))
    edit(bad)
    path = tmp_path / "logs.jsonl"
    path.write_text(json.dumps(to_record(DIALOGUE)) + "\n\n" + json.dumps(bad) + "\n")
    with pytest.raises(LogError) as caught:
        read_dialogues(path)
    where, _, fix = str(caught.value).partition("\n  -> ")
    assert where.startswith(f"{path}:3: ")
    assert message in where
    assert fix


def test_broken_files(tmp_path: Path) -> None:
    path = tmp_path / "logs.jsonl"
    line = json.dumps(to_record(DIALOGUE), ensure_ascii=False).encode()

    def error() -> str:
        with pytest.raises(LogError) as caught:
            read_dialogues(path)
        return str(caught.value)

    assert "cannot be read" in error()
    path.write_bytes(b"\n \n")
    assert "holds no dialogue" in error()
    path.write_bytes(line + b"\n{oops}\n" + line + b"\n")
    assert f"{path}:2: is no JSON" in error()
    path.write_bytes(line + b"\n\xff\n")
    assert f"{path}:2: is no UTF-8" in error()
    path.write_bytes(line + b"\n[1]\n")
    assert f"{path}:2: the line is [1], not an object" in error()
    inside_a_character = line.index("☂".encode()) + 1
    for cut in (len(line) // 2, len(line) - 1, inside_a_character):
        path.write_bytes(line + b"\n" + line[:cut])
        assert f"{path}:2: " in error()
        assert "the file is truncated" in error()
    path.write_bytes(line + b"\n" + line)  # whole, though its line has no end
    assert read_dialogues(path) == [DIALOGUE, DIALOGUE]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "logs.jsonl"
    write_dialogues(path, [DIALOGUE])

    def interrupted() -> Any:
        yield DIALOGUE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dialogues(path, interrupted())

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="the disk is full"):
        write_dialogues(path, [DIALOGUE, DIALOGUE])
    assert read_dialogues(path) == [DIALOGUE]
    assert [file.name for file in tmp_path.iterdir()] == ["logs.jsonl"]


def test_writing_into_no_folder_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        write_dialogues(tmp_path / "none" / "logs.jsonl", [DIALOGUE])
