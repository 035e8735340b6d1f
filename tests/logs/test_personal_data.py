"""What is found of personal data, and how it is replaced."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import LogError
from understudy.logs.conversation import Conversation, Turn, read_conversations
from understudy.logs.files import write_records
from understudy.logs.personal_data import find, finders
from understudy.logs.scrub import scrub, scrub_logs

ROOT = Path(__file__).resolve().parents[2]


def tally(fixture: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """By kind: found rightly, found wrongly, missed."""
    monkeypatch.syspath_prepend(str(ROOT))
    bench: Any = importlib.import_module("bench.personal_data")
    counted: tuple[Counter[str], Counter[str], Counter[str]] = bench.tally(fixture, bench.SETS[fixture])
    return counted


def test_every_kind_on_the_labelled_texts_that_it_was_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong, missed = tally("personal_data.jsonl", monkeypatch)
    assert set(right) == {"EMAIL", "PHONE", "CARD", "IP", "MAC", "KEY", "NAME"}
    assert not wrong
    assert not missed


def test_on_labelled_texts_that_it_was_not_made_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written to mislead; the figures stand in BENCHMARKS.md. Guards against a step back."""
    right, wrong, missed = tally("personal_data_held_out.jsonl", monkeypatch)
    assert right.total() / (right.total() + missed.total()) >= 0.88
    assert right.total() / (right.total() + wrong.total()) >= 0.79


def talk() -> Conversation:
    return Conversation(
        "c-1",
        (
            Turn("user", "I am ann@example.org, call +49 30 901820"),
            Turn("assistant", "", {"tool_calls": [{"arguments": '{"to": "Ann@Example.org"}'}]}),
            Turn("user", "not bob@example.org, and +49-30-901820 it is"),
        ),
        person="ann@example.org",
        extra={"note": ["asked by ann@example.org"], "score": 3},
    )


def test_the_same_piece_has_the_same_placeholder_everywhere_in_a_conversation() -> None:
    persons: dict[str, str] = {}
    told = replace(
        talk(), turns=(*talk().turns, Turn("assistant", "ok", {"user_id": 12.0, "hashed_ip": "ann@example.org"}))
    )
    clean, counts = scrub(told, finders(), persons)
    assert (clean.person, clean.turns[3].extra) == ("person-1", {"user_id": "person-2", "hashed_ip": "person-1"})
    assert clean.turns[0].text == "I am [EMAIL_1], call [PHONE_1]"
    assert clean.turns[1].extra == {"tool_calls": [{"arguments": '{"to": "[EMAIL_1]"}'}]}
    assert clean.turns[2].text == "not [EMAIL_2], and [PHONE_1] it is"
    assert clean.extra == {"note": ["asked by [EMAIL_1]"], "score": 3}
    assert counts == {"EMAIL": 4, "PHONE": 2}


def test_a_file_is_scrubbed_and_persons_become_numbers(tmp_path: Path) -> None:
    quiet = Conversation("c-2", (Turn("user", "hi"), Turn("assistant", "hello")))
    write_records(tmp_path / "in.jsonl", (c.record() for c in (talk(), quiet, talk())))
    summary = scrub_logs(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    found = list(read_conversations(tmp_path / "out.jsonl"))
    assert [c.person for c in found] == ["person-1", None, "person-1"]
    assert "example.org" not in (tmp_path / "out.jsonl").read_text()
    assert (summary.conversations, summary.touched, summary.persons) == (3, 2, 1)
    assert summary.replaced == {"EMAIL": 8, "PHONE": 4}
    with pytest.raises(LogError, match="exists"):
        scrub_logs(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    (tmp_path / "bad.jsonl").write_text('{"id": "x"}\n')
    with pytest.raises(LogError, match=r"bad\.jsonl:1: is no record"):
        scrub_logs(tmp_path / "bad.jsonl", tmp_path / "new.jsonl")
    assert not (tmp_path / "new.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "names", "found"),
    [
        ("tom and o’neill, tomorrow", ["Tom", "O'Neill"], ["tom", "o’neill"]),
        ("Wei  Zhang", ["Wei Zhang", "Wei"], ["Wei  Zhang"]),
        ("", ["Tom"], []),
    ],
)
def test_listed_names(text: str, names: list[str], found: list[str]) -> None:
    assert [text[s.start : s.stop] for s in find(text, finders(names))] == found


def test_national_numbers_need_their_country() -> None:
    text = "ruf mich an: 030 901820"
    assert not find(text, finders(region="US"))
    assert [s.kind for s in find(text, finders(region="de"))] == ["PHONE"]
    with pytest.raises(LogError, match="GB"):
        finders(region="UK")
