"""Nobody, and nothing nearly the same, stands on two sides of a split."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.errors import LogError
from understudy.logs.conversation import Conversation, Turn, read_conversations
from understudy.logs.files import write_records
from understudy.logs.near_duplicates import near_pairs
from understudy.logs.splitting import split_logs

SHARES = {"align": 0.6, "agent": 0.3, "heldout": 0.1}


def talk(name: str, words: str, person: str | None = None) -> Conversation:
    return Conversation(name, (Turn("user", words), Turn("assistant", f"about {name} : yes")), person)


def own_words(number: int) -> str:
    return " ".join(f"w{number}x{i}" for i in range(12))


def write(path: Path, conversations: list[Conversation]) -> Path:
    write_records(path, (c.record() for c in conversations))
    return path


def sides(folder: Path) -> dict[str, str]:
    return {c.id: path.stem for path in folder.glob("*.jsonl") for c in read_conversations(path)}


def test_shares_hold_and_persons_stay_together(tmp_path: Path) -> None:
    source = write(tmp_path / "x.jsonl", [talk(f"c{i}", own_words(i), f"p{i % 100}") for i in range(400)])
    summary = split_logs(source, tmp_path / "out", SHARES, seed=1)
    assert summary.conversations == {"align": 240, "agent": 120, "heldout": 40}
    assert summary.persons == {"align": 60, "agent": 30, "heldout": 10}
    assert (summary.near_duplicates, summary.largest) == (0, 4)
    where = sides(tmp_path / "out")
    assert len(where) == 400
    assert all(where[f"c{i}"] == where[f"c{i + 100}"] for i in range(300))
    split_logs(source, tmp_path / "again", SHARES, seed=1)
    assert sides(tmp_path / "again") == where
    split_logs(source, tmp_path / "other", SHARES, seed=2)
    assert sides(tmp_path / "other") != where


def test_near_duplicates_stay_together_and_pull_their_persons(tmp_path: Path) -> None:
    long = [f"{own_words(i)} {own_words(i + 1000)}" for i in range(60)]
    talks = [talk(f"c{i}", long[i]) for i in range(60)]
    twins = [talk(f"c{i}", f"{long[i]} please", f"p{i // 2}") for i in range(60)]  # with a word more, by a known person
    talks += [Conversation(f"twin-{c.id}", c.turns, c.person) for c in twins]
    source = write(tmp_path / "x.jsonl", talks)
    summary = split_logs(source, tmp_path / "out", SHARES)
    where = sides(tmp_path / "out")
    assert all(where[f"c{i}"] == where[f"twin-c{i}"] == where[f"c{i ^ 1}"] for i in range(60))
    assert (summary.near_duplicates, summary.largest) == (120, 4)
    split_logs(source, tmp_path / "apart", SHARES, similarity=2)
    apart = sides(tmp_path / "apart")
    assert any(apart[f"c{i}"] != apart[f"twin-c{i}"] for i in range(60))


def test_similarity_is_about_the_share_of_words_in_common() -> None:
    same = own_words(1)
    talks = [
        talk("a", same),
        talk("a", same),
        talk("b", "quite another thing was said here by somebody else"),
        talk("a", f"x {same}"),
    ]
    assert set(near_pairs(talks, 0.7)) == {(0, 1), (0, 3)}


def test_mistakes(tmp_path: Path) -> None:
    source = write(tmp_path / "x.jsonl", [talk(f"c{i}", own_words(i), "p") for i in range(9)])
    with pytest.raises(LogError, match=r"is empty: 9 conversations are only 1 groups"):
        split_logs(source, tmp_path / "out", SHARES)
    with pytest.raises(LogError, match="share 0"):
        split_logs(source, tmp_path / "out", {"a": 0.0, "b": 1.0})
    assert [p.name for p in tmp_path.iterdir()] == ["x.jsonl"]
    (tmp_path / "out").mkdir()
    with pytest.raises(LogError, match="exists"):
        split_logs(source, tmp_path / "out", {"a": 1.0})
