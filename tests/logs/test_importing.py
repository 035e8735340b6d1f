"""Every form of logs becomes the same conversations; what cannot be used is written down with its reason."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from understudy.errors import LogError
from understudy.logs.check import JOINED, NO_LAST_WORD, SYSTEM_JOINED
from understudy.logs.conversation import Conversation, Turn, read_conversations
from understudy.logs.formats.base import person_name
from understudy.logs.importing import (
    DUPLICATE,
    LOST_ROW,
    RENAMED,
    UNKNOWN_FORM,
    UNORDERED,
    ImportSummary,
    import_logs,
)
from understudy.logs.sources.negotiations import NO_NEGOTIATION, NO_TWIN
from understudy.logs.sources.raw import NO_UTF8

ROOT = Path(__file__).resolve().parents[2]
TASKMASTER = Path(os.environ.get("UNDERSTUDY_DATA") or ROOT.parent / "shared" / "data") / "taskmaster4"

SAID = (("user", "hi , where is my order ?"), ("assistant", "what is its number ?"), ("user", "28740 , grüße 😀"))
OTHERS = (("user", "is it open ?"), ("assistant", "until six"))


def messages(said: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in said]


def lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def talk_lines() -> bytes:
    return lines({"id": "a", "user_id": "p", "messages": messages(SAID)}, {"id": "b", "messages": messages(OTHERS)})


def json_list() -> bytes:
    return json.dumps([{"id": n, "messages": messages(s)} for n, s in (("a", SAID), ("b", OTHERS))], indent=1).encode()


def sharegpt() -> bytes:
    names = {"user": "human", "assistant": "gpt"}
    return lines(*({"id": n, "conversations": [{"from": names[r], "value": t} for r, t in said]}
                   for n, said in (("a", SAID), ("b", OTHERS))))  # fmt: skip


def wildchat() -> bytes:
    return lines(*({"conversation_hash": n, "hashed_ip": "p", "model": "m", "conversation": messages(said)}
                   for n, said in (("a", SAID), ("b", OTHERS))))  # fmt: skip


def taskmaster() -> bytes:
    return json.dumps([
        {"conversation_id": n, "utterances": [{"speaker": r, "text": t, "annotations": []} for r, t in said]}
        for n, said in (("a", SAID), ("b", OTHERS))
    ]).encode()  # fmt: skip


def table() -> bytes:
    """Rows of two conversations in each other's way; the times put the first one in order."""
    rows = [("a", "customer", SAID[2][1], "3"), ("b", "customer", OTHERS[0][1], "1"), ("a", "customer", SAID[0][1], "1"),
            ("a", "bot", SAID[1][1], "2"), ("b", "bot", OTHERS[1][1], "2")]  # fmt: skip
    return (
        "conversation_id,speaker,text,time\n" + "".join(f'{c},{r},"{t}",{when}\n' for c, r, t, when in rows)
    ).encode()


FORMS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "messages": ("x.jsonl", talk_lines),
    "list": ("x.json", json_list),
    "zipped": ("x.jsonl.gz", lambda: gzip.compress(talk_lines())),
    "sharegpt": ("x.jsonl", sharegpt),
    "wildchat": ("x.json", wildchat),
    "taskmaster": ("x.json", taskmaster),
    "table": ("x.csv", table),
    "marked": ("x.jsonl", lambda: b"\xef\xbb\xbf" + talk_lines()),
}


def imported(path: Path, out: Path, **given: Any) -> tuple[list[Conversation], ImportSummary, list[dict[str, Any]]]:
    summary = import_logs([str(path)], out, **given)
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    return list(read_conversations(out / "dialogues.jsonl")), summary, rejects


def spoken(conversation: Conversation) -> tuple[tuple[str, str], ...]:
    return tuple((turn.role, turn.text) for turn in conversation.turns)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_conversations(form: str, tmp_path: Path) -> None:
    name, content = FORMS[form]
    (tmp_path / name).write_bytes(content())
    found, summary, rejects = imported(tmp_path / name, tmp_path / "out")
    assert {c.id: spoken(c) for c in found} == {"a": SAID, "b": OTHERS}
    assert (summary.records, summary.kept, rejects) == (2, 2, [])
    assert summary.messages == {"user": 3, "assistant": 2}
    assert json.loads((tmp_path / "out/summary.json").read_text())["kept"] == 2
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["dialogues.jsonl", "rejects.jsonl", "summary.json"]


def test_columnar_files_and_data_sets_by_name(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"id": n, "messages": messages(s)} for n, s in (("a", SAID), ("b", OTHERS))]
    stored = pyarrow.Table.from_pylist(rows)
    (tmp_path / "data").mkdir()
    parquet.write_table(stored, tmp_path / "data/train.parquet")
    for name, new in (("stream.arrow", pyarrow.ipc.new_stream), ("file.arrow", pyarrow.ipc.new_file)):
        with new(tmp_path / name, stored.schema) as writer:
            writer.write_table(stored)
    sources = [tmp_path / "data/train.parquet", tmp_path / "stream.arrow", tmp_path / "file.arrow"]
    for place, source in enumerate([*map(str, sources), f"hub:{tmp_path / 'data'}"]):
        import_logs([source], tmp_path / f"out{place}")
        found = list(read_conversations(tmp_path / f"out{place}/dialogues.jsonl"))
        assert {c.id: spoken(c) for c in found} == {"a": SAID, "b": OTHERS}
    with pytest.raises(LogError, match="cannot be loaded"):
        import_logs([f"hub:{tmp_path / 'data'}"], tmp_path / "no", split="absent")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no parquet")
    with pytest.raises(LogError, match="is damaged"):
        import_logs([str(tmp_path / "bad.parquet")], tmp_path / "no")


def negotiation(opening: str) -> tuple[bytes, bytes]:
    """The two lines of a negotiation: as seen by the person who spoke first, and by the other."""
    mine, theirs = "1 0 4 2 1 2", "1 4 4 1 1 2"
    line = (
        "<input> {} </input> <dialogue> {} {} <eos> {} deal <eos> {} <selection> </dialogue> "
        "<output> {} {} </output> <partner_input> {} </partner_input>\n"
    )
    hats, rest = "item0=0 item1=4 item2=0", "item0=1 item1=0 item2=1"
    first = line.format(mine, "YOU:", opening, "THEM:", "YOU:", hats, rest, theirs)
    second = line.format(theirs, "THEM:", opening, "YOU:", "THEM:", rest, hats, mine)
    return first.encode(), second.encode()


def test_a_data_set_by_name_may_have_configs(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("datasets")
    from pyarrow import parquet

    for config, said in (("first", SAID), ("second", OTHERS)):
        (tmp_path / "data" / config).mkdir(parents=True)
        stored = pyarrow.Table.from_pylist([{"messages": messages(said)}])
        parquet.write_table(stored, tmp_path / "data" / config / "train.parquet")
    configs = "".join(f"- config_name: {c}\n  data_files: {c}/train.parquet\n" for c in ("first", "second"))
    (tmp_path / "data/README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    name = f"hub:{tmp_path / 'data'}"
    import_logs([f"{name}:second", f"{name}:first"], tmp_path / "out")
    found = list(read_conversations(tmp_path / "out/dialogues.jsonl"))
    assert {c.id: spoken(c) for c in found} == {"data:second:train:1": OTHERS, "data:first:train:1": SAID}
    for wrong in (name, f"{name}:third"):
        with pytest.raises(LogError, match=r"(?s)first.*second.*hub:owner/name:config"):
            import_logs([wrong], tmp_path / "no")


def test_a_data_set_saved_to_disk_is_read_without_its_metadata(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    parts = {name: datasets.Dataset.from_list([{"messages": messages(s)}]) for name, s in (("a", SAID), ("b", OTHERS))}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "in")
    (tmp_path / "in/state.json").write_bytes(lines({"messages": messages((*OTHERS, ("user", "thanks")))}))
    found, summary, rejects = imported(tmp_path / "in", tmp_path / "out")
    assert ([spoken(c) for c in found[:2]], len(found), rejects) == ([SAID, OTHERS], 3, [])
    metadata = {
        "dataset_dict.json",
        *(f"{part}/{name}" for part in "ab" for name in ("dataset_info.json", "state.json")),
    }
    assert {Path(p).relative_to(tmp_path / "in").as_posix() for p in summary.passed_over} == metadata


def test_progress_moves_within_columnar_files_and_data_sets_by_name(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    stored = pyarrow.Table.from_pylist([{"id": str(n), "messages": messages(OTHERS)} for n in range(600)])
    (tmp_path / "data").mkdir()
    parquet.write_table(stored, tmp_path / "data/train.parquet")
    for name, new in (("stream.arrow", pyarrow.ipc.new_stream), ("file.arrow", pyarrow.ipc.new_file)):
        with new(tmp_path / name, stored.schema) as writer:
            writer.write_table(stored, max_chunksize=200)
    for name in ("data/train.parquet", "stream.arrow", "file.arrow"):
        size = (tmp_path / name).stat().st_size
        seen = progress_of(str(tmp_path / name), tmp_path / f"out-{Path(name).name}")
        assert {(file, of, unit) for file, _, of, unit in seen} == {(str(tmp_path / name), size, "bytes")}
        positions = [position for _, position, _, _ in seen]
        assert positions == sorted(positions)
        assert positions[-1] == size
        assert len({p for p in positions if 0 < p < size}) >= 2
    seen = progress_of(f"hub:{tmp_path / 'data'}", tmp_path / "out")
    assert seen == [(str(tmp_path / "data"), count, 0, "records") for count in (1, 257, 513, 600)]


def progress_of(source: str, out: Path) -> list[tuple[str, int, int, str]]:
    seen: list[tuple[str, int, int, str]] = []
    import_logs([source], out, keep_duplicates=True, on_progress=lambda *at: seen.append(at))
    return seen


@pytest.mark.parametrize("name", ["x.txt", "x.txt.gz"])
def test_negotiations(name: str, tmp_path: Path) -> None:
    said = b"".join(negotiation("4 hats"))
    (tmp_path / name).write_bytes(gzip.compress(said) if name.endswith(".gz") else said)
    (found,), _, _ = imported(tmp_path / name, tmp_path / "out")
    assert spoken(found) == (("user", "4 hats"), ("assistant", "deal"))
    assert found.extra["user_values"] == [0, 2, 2]
    assert found.extra["assistant_takes"] == [1, 0, 1]


def test_bad_lines_of_negotiations_are_rejects_and_all_else_is_kept(tmp_path: Path) -> None:
    whole, cut, bytes_, first, superscript = (negotiation(f"{word} hats") for word in ("4", "all", "my", "the", "some"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_bytes(
        b"".join([first[0][:150] + b"\n", first[1], cut[0], cut[1][:-20] + b"\n", b"\n", *whole])
        + bytes_[0].replace(b"my", b"m\xff")
        + superscript[0].replace(b"1 0 4 2 1 2", "1 0 4 2 1 ²".encode())
        + superscript[0].replace(b"item0=0", b"item0=" + b"9" * 5000)
    )
    (tmp_path / "in/b.jsonl").write_bytes(talk_lines())
    found, summary, rejects = imported(tmp_path / "in", tmp_path / "out")
    assert [c.id for c in found] == ["a.txt:6", "a", "b"]
    expected = [
        (1, NO_NEGOTIATION), (2, NO_TWIN), (3, NO_TWIN), (4, NO_NEGOTIATION),
        (8, NO_UTF8), (9, NO_NEGOTIATION), (10, NO_NEGOTIATION),
    ]  # fmt: skip
    assert [(r["where"], r["reason"]) for r in rejects] == [
        (f"{tmp_path / 'in/a.txt'}:{n}", why) for n, why in expected
    ]
    assert "does not read <input>" in rejects[0]["detail"]
    assert rejects[1]["record"] == first[1].decode()[:200]
    assert summary.records == summary.kept + sum(summary.rejected.values()) == 10


def test_a_file_of_nothing_but_bad_negotiations_loses_no_other(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_bytes(negotiation("4 hats")[0] * 2)
    (tmp_path / "in/b.jsonl").write_bytes(talk_lines())
    found, _, rejects = imported(tmp_path / "in", tmp_path / "out")
    assert [c.id for c in found] == ["a", "b"]
    assert [r["reason"] for r in rejects] == [NO_TWIN] * 2


UNUSABLE = [
    ({"messages": [{"role": "user", "content": "hi"}, {"role": "narrator", "content": "x"}]}, "unknown role", "message 2"),
    ({"messages": [{"role": "user", "content": "hi"}]}, "nothing said by the assistant", ""),
    ({"messages": [{"role": "assistant", "content": "hi"}]}, "nothing said by the user", ""),
    ({"messages": [*messages(SAID[:1]), {"role": "assistant", "content": " "}, *messages(SAID[2:])]}, "an empty message", "2"),
    ({"messages": [*messages(OTHERS), {"role": "system", "content": "be brief"}]}, "a system message in the middle", "3"),
    ({"messages": ["hi", "ho"]}, "not of the form messages", "messages"),
    ({"messages": [{"role": "user", "content": 7}, {"role": "assistant", "content": "x"}]}, "words that are no text", "int"),
    ({"text": "hi"}, "not of the form messages", "keys text"),
]  # fmt: skip


def test_what_cannot_be_used_is_written_down_with_its_reason(tmp_path: Path) -> None:
    good = {"id": "a", "messages": messages(SAID)}
    head = lines(good, *(record for record, _, _ in UNUSABLE), {"id": "c", "messages": messages(SAID)})
    tail = (
        lines({"id": "a", "messages": messages(OTHERS)})
        + b'{"messages": [{"role": "\xff"}]}\nno json\n{"messages": [{"ro'
    )
    (tmp_path / "x.jsonl").write_bytes(head + tail)
    found, summary, rejects = imported(tmp_path / "x.jsonl", tmp_path / "out")
    assert [(c.id, spoken(c)) for c in found] == [("a", SAID), ("a-2", OTHERS)]
    for reject, (record, reason, detail) in zip(rejects, UNUSABLE, strict=False):
        assert (reject["reason"], reject["record"]) == (reason, record)
        assert detail in reject["detail"]
    after = rejects[len(UNUSABLE) :]
    assert [r["reason"] for r in after] == [DUPLICATE, "no UTF-8", "no JSON", "a last line that is cut off"]
    assert after[0]["detail"] == f"{tmp_path / 'x.jsonl'}:1"
    assert [r["where"] for r in after[1:]] == [f"{tmp_path / 'x.jsonl'}:{number}" for number in (12, 13, 14)]
    assert summary.records == summary.kept + sum(summary.rejected.values()) == 2 + len(rejects)
    assert summary.mended == {RENAMED: 1}


def test_all_faults_of_a_record_are_told_at_once(tmp_path: Path) -> None:
    said = (("user", "hi"), ("assistant", " "), ("narrator", "x"), ("system", "late"), ("narrator", "y"), ("user", ""))
    odd = {"role": "clown", "content": 7}
    records = [
        {"messages": [*messages(said[:5]), odd, *messages(said[5:])]},
        {"messages": messages((("user", "hi"), ("user", ""), ("system", "late"), ("system", " ")))},
        {"messages": messages((("system", "a"), ("system", "b")))},
        {"messages": messages(SAID)},
    ]
    (tmp_path / "x.jsonl").write_bytes(lines(*records))
    _, summary, rejects = imported(tmp_path / "x.jsonl", tmp_path / "out")
    assert [(r["reason"], r["detail"], r.get("also")) for r in rejects] == [
        (
            "unknown role",
            "message 3: 'narrator'; message 5: 'narrator'; message 6: 'clown'",
            [
                "words that are no text (message 6: int)",
                "an empty message (message 2, assistant)",
                "a system message in the middle (message 4)",
            ],
        ),
        (
            "an empty message",
            "message 2, user",
            ["a system message in the middle (message 3)", "nothing said by the assistant"],
        ),
        ("nothing said by the user", "", ["nothing said by the assistant"]),
    ]
    assert [r["record"] for r in rejects] == records[:3]
    assert summary.rejected == {"unknown role": 1, "an empty message": 1, "nothing said by the user": 1}


def test_what_is_mended_is_counted(tmp_path: Path) -> None:
    said = (
        ("system", "be kind"),
        ("developer", "be brief"),
        ("user", "hi"),
        ("user", "are you there ?"),
        ("assistant", "yes"),
    )
    (tmp_path / "x.jsonl").write_bytes(lines({"messages": [*messages(said), {"role": "user", "content": ""}]}))
    (found,), summary, _ = imported(tmp_path / "x.jsonl", tmp_path / "out")
    assert spoken(found) == (("system", "be kind\nbe brief"), ("user", "hi\nare you there ?"), ("assistant", "yes"))
    assert summary.mended == {NO_LAST_WORD: 1, SYSTEM_JOINED: 1, JOINED: 1}
    assert found.id == "x.jsonl:1"  # no folder: it may hold somebody's name


def test_fields_of_joined_messages_are_kept(tmp_path: Path) -> None:
    said = [{"role": "user", "content": t, "time": i, "via": "web"} for i, t in enumerate("abc")]
    (tmp_path / "x.jsonl").write_bytes(lines({"messages": [*said, {"role": "bot", "content": "d"}]}))
    (found,), _, _ = imported(tmp_path / "x.jsonl", tmp_path / "out")
    assert found.turns[0].text == "a\nb\nc"
    later = [{"time": 1, "via": "web"}, {"time": 2, "via": "web"}]
    assert found.turns[0].extra == {"time": 0, "via": "web", "joined": later}


def test_a_field_of_theirs_may_be_called_joined(tmp_path: Path) -> None:
    said = [{"role": "user", "content": t, "time": i, "joined": 2019} for i, t in enumerate("ab")]
    (tmp_path / "x.jsonl").write_bytes(lines({"messages": [*said, {"role": "bot", "content": "c"}]}))
    (found,), _, _ = imported(tmp_path / "x.jsonl", tmp_path / "out")
    assert found.turns[0].extra == {"time": 0, "joined": [2019, {"time": 1, "joined": 2019}]}


def test_nothing_but_broken_rows_or_lines(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text("chat_id,from,message\n" + "1,user\n" * 30)
    (tmp_path / "in/b.jsonl").write_text("nothing\n" * 30)
    (tmp_path / "in/c.jsonl").write_bytes(lines({"messages": messages(SAID)}))
    found, _, rejects = imported(tmp_path / "in", tmp_path / "out")
    assert len(found) == 1
    assert [r["reason"] for r in rejects] == ["a row of another length"] * 30 + ["no JSON"] * 30


def test_calls_of_tools_are_kept_as_they_are(tmp_path: Path) -> None:
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": "{}"}}],
    }
    answer = {"role": "tool", "tool_call_id": "1", "content": "sent"}
    parts = {
        "role": "user",
        "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "u"}}],
    }
    record = {"messages": [parts, call, answer, {"role": "assistant", "content": "it is sent"}], "model": "m"}
    (tmp_path / "x.jsonl").write_bytes(lines(record))
    (found,), summary, _ = imported(tmp_path / "x.jsonl", tmp_path / "out")
    assert [turn.role for turn in found.turns] == ["user", "assistant", "tool", "assistant"]
    assert found.turns[1].extra == {"tool_calls": call["tool_calls"]}
    assert found.turns[2].extra == {"tool_call_id": "1"}
    assert (found.turns[0].text, found.turns[0].extra["parts"]) == ("see", parts["content"])
    assert (summary.with_tools, found.extra) == (1, {"model": "m"})


def test_calls_that_taskmaster_annotates_are_kept_and_counted(tmp_path: Path) -> None:
    fourth = [
        {"name": "api_call", "value": "finish_order", "context": "api_call_0"},
        {"name": "request", "value": '{"order_id": "28740"}', "context": "api_call_0"},
        {"name": "api_response", "value": "finish_order", "context": "api_response_0"},
        {"name": "response", "value": '{"success":true}', "context": "api_response_0"},
    ]
    third = [{"name": "find_theaters", "args": [{"arg_name": "location", "arg_value": "here"}], "response": []}]
    words = [{"start_index": 0, "text": "one", "annotations": [{"name": "coffee_ordering.number"}]}]
    talks: dict[str, list[dict[str, Any]]] = {
        "fourth": [{"annotations": fourth}],
        "third": [{"apis": third}],
        "joined": [{"index": 0, "annotations": []}, {"index": 1, "annotations": fourth}],
        "words": [{"segments": words, "annotations": [{"name": "coffee"}], "apis": []}],
        "odd": [{"annotations": ["api_call", None], "joined": "in March"}],
        "none": [{"annotations": None}],
    }
    records = [
        {"conversation_id": name, "utterances": [
            *({"speaker": "user", "text": f"one latte {name}", **fields} for fields in user),
            {"speaker": "assistant", "text": "it is coming", "annotations": []},
        ]}
        for name, user in talks.items()
    ]  # fmt: skip
    (tmp_path / "x.json").write_text(json.dumps(records))
    found, summary, _ = imported(tmp_path / "x.json", tmp_path / "out")
    assert summary.formats == {"taskmaster": 1}
    assert {c.id for c in found if c.turns[0].uses_tools} == {"fourth", "third", "joined"}
    assert summary.with_tools == 3
    assert found[0].turns[0].extra == {"annotations": fourth}
    assert found[1].turns[0].extra == {"apis": third}
    assert found[2].turns[0].extra["joined"] == talks["joined"][1:]


@pytest.mark.skipif(
    not TASKMASTER.is_dir(), reason="needs the Taskmaster-4 corpus in UNDERSTUDY_DATA or ../shared/data (see README)"
)
def test_orders_of_the_real_taskmaster(tmp_path: Path) -> None:
    _, summary, _ = imported(TASKMASTER / "data_00.json", tmp_path / "out")
    assert (summary.kept, summary.with_tools) == (500, 482)


def test_what_was_imported_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(talk_lines())
    first, _, _ = imported(tmp_path / "x.jsonl", tmp_path / "one")
    again, _, _ = imported(tmp_path / "one/dialogues.jsonl", tmp_path / "two")
    assert first == again


def test_a_folder_is_read_file_by_file_each_in_its_form(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/a.jsonl").write_bytes(lines({"messages": messages(SAID)}))
    (tmp_path / "in/deep/b.csv").write_bytes(b"chat_id,from,message\n1,user,is it open ?\n1,agent,until six\n")
    (tmp_path / "in/readme.md").write_text("not a log")
    positions: list[tuple[str, int, int, str]] = []
    summary = import_logs([str(tmp_path / "in")], tmp_path / "out", on_progress=lambda *at: positions.append(at))
    assert summary.formats == {"messages": 1, "table": 1}
    assert summary.kept == 2
    assert positions[-1] == (str(tmp_path / "in/deep/b.csv"), 59, 59, "bytes")


def test_what_cannot_be_parsed_is_shown_by_its_first_200_characters(tmp_path: Path) -> None:
    broken = "{" + "ü😀" * 300
    unknown = {"note": "ü" * 300}
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_bytes(lines({"messages": messages(SAID)}) + f"{broken}\n".encode())
    (tmp_path / "in/b.json").write_text(json.dumps(unknown))
    (tmp_path / "in/c.csv").write_text("chat_id,from,message\n1,user,hi,there\n,user,lost\n1,user,hi\n1,bot,ho\n")
    (tmp_path / "in/d.txt").write_bytes(negotiation("4 hats")[0])
    (tmp_path / "in/e.txt").write_bytes(("hello " * 100).encode("utf-16"))
    _, _, rejects = imported(tmp_path / "in", tmp_path / "out")
    assert [(Path(r["where"]).name, r["record"]) for r in rejects] == [
        ("a.jsonl:2", broken[:200]),
        ("b.json:1", json.dumps(unknown, ensure_ascii=False)[:200]),
        ("c.csv:2", "['1', 'user', 'hi', ['there']]"),
        ("c.csv:3", {"chat_id": "", "from": "user", "message": "lost"}),
        (
            "c.csv:4",
            [{"chat_id": "1", "from": "user", "message": "hi"}, {"chat_id": "1", "from": "bot", "message": "ho"}],
        ),
        ("d.txt:1", negotiation("4 hats")[0].decode()[:200]),
        ("e.txt:1", ("hello " * 100)[:200]),
    ]


def test_a_conversation_that_lost_a_row_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(
        b"chat_id,from,message\n1,user,hi\n1,agent,ho\n2,user,\xff\n2,agent,yes\n2,user,no\n,user,lost\n"
        b"4,user,a,b\n4,user,a\n4,bot,c\n1,user,bye\n"
    )
    (found,), _, rejects = imported(tmp_path / "x.csv", tmp_path / "out")
    assert spoken(found) == (("user", "hi"), ("assistant", "ho"), ("user", "bye"))
    reasons = ["no UTF-8", "a row without a conversation", "a row of another length", LOST_ROW, LOST_ROW]
    assert [r["reason"] for r in rejects] == reasons


@pytest.mark.parametrize(
    ("times", "mended"),
    [
        (["9", "10", "11", "100"], {}),
        (["2024-01-02T09:58:00", "2024-01-02T10:00:00", "2024-01-02T10:00:00.5", "2024-01-02T13:05:00"], {}),
        (
            ["2024-01-02T10:00:00+02:00", "2024-01-02T08:00:05Z", "2024-01-02T10:00:10+02:00", "2024-01-02T08:00:15Z"],
            {},
        ),
        (["1/2/2024 9:58 AM", "1/2/2024 9:59 AM", "1/2/2024 10:00 AM", "1/2/2024 1:05 PM"], {UNORDERED: 1}),
        (["31.01.2024", "31.01.2024", "01.02.2024", "01.02.2024"], {UNORDERED: 1}),
        (["2024-01-02", "2024-01-03", "", "2024-01-01"], {UNORDERED: 1}),
        (["", "", "", ""], {}),
    ],
)
def test_rows_are_sorted_by_times_that_can_be_read(times: list[str], mended: dict[str, int], tmp_path: Path) -> None:
    rows = [f"1,{'bot' if i % 2 else 'user'},{w},{t}" for i, (w, t) in enumerate(zip("abcd", times, strict=True))]
    shuffled = rows if mended or not times[0] else [rows[2], rows[0], rows[3], rows[1]]
    (tmp_path / "x.csv").write_text("\n".join(["Chat ID,From,Message,ts", *shuffled]))
    (found,), summary, _ = imported(tmp_path / "x.csv", tmp_path / "out")
    assert [t.text for t in found.turns] == ["a", "b", "c", "d"]
    assert summary.mended == mended


def test_the_person_is_who_the_rows_of_the_user_name(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(
        "chat_id;from;message;user_id\n1;bot;can i help ?;desk\n1;user;yes;alice\n"
        "2;user;hi;\n2;bot;ho;\n3;user;so;7\n3;bot;no;7\n"
    )
    found, summary, _ = imported(tmp_path / "x.csv", tmp_path / "out")
    assert [c.person for c in found] == ["alice", None, "7"]
    assert found[0].turns[0].extra == {"user_id": "desk"}
    assert found[2].turns[0].extra == {}
    assert (summary.persons, summary.without_person) == (2, 1)


def test_columns_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("sep=;\nTicket;author_type;Message Text\n1;admin;hi\n1;user;ho\n")
    with pytest.raises(LogError, match="keys Ticket, author_type, Message Text"):
        import_logs([str(tmp_path / "x.csv")], tmp_path / "out")
    columns = {"Ticket": "conversation_id", "author_type": "role", "Message Text": "text"}
    (found,), _, _ = imported(tmp_path / "x.csv", tmp_path / "out", columns=columns)
    assert spoken(found) == (("assistant", "hi"), ("user", "ho"))


def test_a_bad_beginning_loses_nothing_behind_it(tmp_path: Path) -> None:
    good = lines(*({"id": str(i), "messages": messages((*SAID, ("assistant", f"done {i}")))} for i in range(50)))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_bytes(b"# export of 2024\n" + good)
    (tmp_path / "in/b.jsonl").write_bytes(lines({"version": 1}, {"id": "x", "messages": messages(SAID)}))
    (tmp_path / "in/manifest.json").write_text('{"version": 1}')
    (tmp_path / "in/notes.docx").write_text("")
    found, summary, rejects = imported(tmp_path / "in", tmp_path / "out")
    assert len(found) == 51
    reasons = ["no JSON", "not of the form messages", UNKNOWN_FORM]
    assert [r["reason"] for r in rejects] == reasons
    assert summary.passed_over == [str(tmp_path / "in/notes.docx")]


def test_lists_under_a_key_and_lists_with_nan(tmp_path: Path) -> None:
    talks = [{"id": n, "messages": messages(s), "score": float("nan")} for n, s in (("a", SAID), ("b", OTHERS))]
    for name, content in (("x.json", {"data": talks, "made": 1}), ("y.json", talks)):
        (tmp_path / name).write_text(json.dumps(content, indent=1))
        found, _, rejects = imported(tmp_path / name, tmp_path / f"out-{name}")
        assert ([c.id for c in found], rejects) == (["a", "b"], [])


def test_all_lists_of_talks_are_read_and_no_others(tmp_path: Path) -> None:
    talks = {"train": [{"messages": messages(SAID)}], "test": [{"messages": messages(OTHERS)}], "by": ["me"]}
    (tmp_path / "x.json").write_text(json.dumps(talks))
    assert imported(tmp_path / "x.json", tmp_path / "one")[1].kept == 2
    record = {"documents": [{"chunks": [{"role": "x"}]}], "messages": messages(SAID)}
    for name, content in (("y.jsonl", lines(record)), ("z.jsonl", lines(record, {"messages": messages(OTHERS)}))):
        (tmp_path / name).write_bytes(content)
        found, _, rejects = imported(tmp_path / name, tmp_path / f"out-{name}")
        assert (spoken(found[0]), found[0].extra["documents"], rejects) == (SAID, record["documents"], [])


def test_columns_are_what_they_are_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("chat_id,author,Role,text,person\n1,customer,admin,hi,p\n1,agent,customer,yo,q\n")
    columns = {"author": "role", "chat_id": "conversation_id"}
    (found,), _, _ = imported(tmp_path / "x.csv", tmp_path / "out", columns=columns)
    assert spoken(found) == (("user", "hi"), ("assistant", "yo"))
    assert found.turns[0].extra["logged_role"] == "admin"


def test_a_long_preamble_and_a_damaged_archive(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"# about\n" * 30 + talk_lines())
    assert imported(tmp_path / "x.jsonl", tmp_path / "out")[1].kept == 2
    packed = bytearray(gzip.compress(b"x" * 100_000))
    packed[30:60] = b"\xff" * 30
    (tmp_path / "y.jsonl.gz").write_bytes(packed)
    with pytest.raises(LogError, match=r"cannot be read|cut off"):
        import_logs([str(tmp_path / "y.jsonl.gz")], tmp_path / "new")


def test_whole_numbers_name_the_same_however_they_are_stored() -> None:
    assert [person_name(v) for v in (1234567.0, 1234567, "1234567", 1.5, float("nan"), " ", None, {"id": 1})] == [
        "1234567", "1234567", "1234567", "1.5", None, None, None, None,
    ]  # fmt: skip


def test_fields_with_our_names_do_not_write_over_ours(tmp_path: Path) -> None:
    record = {"id": None, "conversation_id": "c9", "person": None, "user_id": "u7", "messages": 2,
              "conversation": [{**m, "speaker": "x"} for m in messages(SAID)]}  # fmt: skip
    taskmaster = {"id": 0, "utterances": [{"speaker": r, "text": t, "role": "caller"} for r, t in SAID]}
    for name, content in (("x.jsonl", record), ("y.jsonl", taskmaster)):
        (tmp_path / name).write_bytes(lines(content))
    (first,), _, _ = imported(tmp_path / "x.jsonl", tmp_path / "one")
    assert (first.id, first.person, spoken(first)) == ("c9", "u7", SAID)
    assert first.extra == {"logged_messages": 2}
    (second,), _, _ = imported(tmp_path / "y.jsonl", tmp_path / "two")
    assert (second.id, spoken(second)) == ("0", SAID)
    assert second.turns[0].extra == {"logged_role": "caller"}


def test_calls_without_words(tmp_path: Path) -> None:
    sharegpt = {"conversations": [{"from": "human", "value": "hi"}, {"from": "function_call", "value": "look()"},
                                  {"from": "observation", "value": ""}, {"from": "gpt", "value": "ok"}]}  # fmt: skip
    parts = [{"role": "user", "content": ["hello", "there"]}, {"role": "assistant", "content": [{"type": "tool_use", "id": 1}]},
             {"role": "tool", "content": ""}, {"role": "assistant", "content": "ok"}]  # fmt: skip
    (tmp_path / "x.jsonl").write_bytes(lines(sharegpt))
    (tmp_path / "y.jsonl").write_bytes(lines({"messages": parts}))
    (first,), _, _ = imported(tmp_path / "x.jsonl", tmp_path / "one")
    assert [(t.role, t.text) for t in first.turns] == [
        ("user", "hi"),
        ("assistant", ""),
        ("tool", ""),
        ("assistant", "ok"),
    ]
    assert first.turns[1].extra == {"function_call": "look()"}
    (second,), _, _ = imported(tmp_path / "y.jsonl", tmp_path / "two")
    assert second.turns[0].text == "hello\nthere"
    assert second.turns[1].extra["parts"] == [{"type": "tool_use", "id": 1}]


def test_odd_content_is_a_reject_never_a_crash(tmp_path: Path) -> None:
    surrogate = (
        b'{"id": "l\\ud83d", "messages": [{"role": "user", "content": "\\ud83d"}, {"role": "bot", "content": "x"}]}\n'
    )
    content = (
        surrogate
        + b'{"messages": '
        + b"9" * 5000
        + b"}\n"
        + b"[" * 200_000
        + b"\n"
        + lines({"messages": messages(SAID)})
    )
    (tmp_path / "x.jsonl").write_bytes(content)
    found, _, rejects = imported(tmp_path / "x.jsonl", tmp_path / "out")
    assert len(found) == 2
    assert [r["reason"] for r in rejects] == ["no JSON that can be held"] * 2
    (tmp_path / "utf16.csv").write_bytes("chat_id,from,message\n".encode("utf-16"))
    with pytest.raises(LogError, match="save the file as UTF-8"):
        import_logs([str(tmp_path / "utf16.csv")], tmp_path / "new")


def test_the_same_words_may_be_different_conversations(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(lines(*({"messages": messages(OTHERS)} for _ in range(3))))
    assert imported(tmp_path / "x.jsonl", tmp_path / "one")[1].kept == 1
    assert imported(tmp_path / "x.jsonl", tmp_path / "two", keep_duplicates=True)[1].kept == 3


def test_a_list_that_is_cut_off_keeps_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(json_list()[:-40])
    found, _, (reject,) = imported(tmp_path / "x.json", tmp_path / "out")
    assert [c.id for c in found] == ["a"]
    assert "cut off" in reject["reason"]


def read_pairs(record: Any) -> Conversation:
    """A reader of one's own."""
    return Conversation(record["nr"], (Turn("user", record["q"]), Turn("assistant", record["a"])))


def read_oddly(record: Any) -> Conversation:
    """A reader of one's own that lets through what it should not."""
    return Conversation(record["nr"], (Turn("user", ""), Turn(record["who"], "hi"), Turn("user", "ho")))


def test_faults_of_a_reader_of_ones_own_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(lines({"nr": "1", "who": "narrator"}))
    with pytest.raises(
        LogError, match=r"unknown role \(message 2: 'narrator'.*\); an empty message \(message 1, user\)"
    ):
        import_logs([str(tmp_path / "x.jsonl")], tmp_path / "out", format_name=f"{__name__}:read_oddly")


def test_a_reader_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(lines({"nr": "1", "q": "hi", "a": "ho"}))
    with pytest.raises(LogError, match="keys nr, q, a"):
        import_logs([str(tmp_path / "x.jsonl")], tmp_path / "out")
    (found,), summary, _ = imported(tmp_path / "x.jsonl", tmp_path / "out", format_name=f"{__name__}:read_pairs")
    assert spoken(found) == (("user", "hi"), ("assistant", "ho"))
    assert summary.formats == {f"{__name__}:read_pairs": 1}
    (tmp_path / "y.jsonl").write_bytes(lines({"nr": "1", "q": "hi", "a": "ho"}, {"nr": 2, "q": "hi"}))
    found_too, _, (reject,) = imported(tmp_path / "y.jsonl", tmp_path / "two", format_name=f"{__name__}:read_pairs")
    assert (len(found_too), reject["reason"], reject["detail"]) == (1, "the reader failed", "KeyError: 'a'")
    with pytest.raises(LogError, match="not a function"):
        import_logs([str(tmp_path / "x.jsonl")], tmp_path / "three", format_name=f"{__name__}:SAID")


@pytest.mark.parametrize(
    ("content", "format_name", "expected"),
    [
        (b"", None, "the files are empty"),
        (b'{"messages": [{"role": "user", "content": "hi"}]}\n', None, "nothing said by the assistant"),
        (b"no json\n", None, "x.jsonl:1: no JSON"),
        (b'{"a": 1}\n', "nonsense", "unknown format"),
        (b'{"a": 1}\n', "no.such.module:f", "cannot be imported"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    content: bytes, format_name: str | None, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(LogError, match=expected):
        import_logs([str(tmp_path / "x.jsonl")], tmp_path / "out", format_name=format_name)
    assert [p.name for p in tmp_path.iterdir()] == ["x.jsonl"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(talk_lines())
    import_logs([str(tmp_path / "x.jsonl")], tmp_path / "out")
    with pytest.raises(LogError, match="exists"):
        import_logs([str(tmp_path / "x.jsonl")], tmp_path / "out")
    with pytest.raises(LogError, match="does not exist"):
        import_logs([str(tmp_path / "absent")], tmp_path / "new")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(talk_lines())[:-20])
    with pytest.raises(LogError, match="cut off"):
        import_logs([str(tmp_path / "cut.jsonl.gz")], tmp_path / "new")


def test_long_cells_are_read(tmp_path: Path) -> None:
    with (tmp_path / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("chat_id", "from", "message"), ("1", "user", "a\n" * 200_000), ("1", "bot", "ok")])
    (found,), _, _ = imported(tmp_path / "x.csv", tmp_path / "out")
    assert len(found.turns[0].text) == 400_000
