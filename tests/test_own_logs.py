"""From logs of one's own to a user model with a card."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from command import understudy
from understudy.align.sft import examples_of
from understudy.align.truncate import truncate
from understudy.config import load_config
from understudy.errors import LogError
from understudy.logs.conversation import Conversation, Turn
from understudy.logs.dialogues import as_dialogue
from understudy.logs.files import write_records
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.likelihood import Example, token_logprobs_and_chance
from understudy.models.load import load_chat_model
from understudy.pipeline.align_plan import AlignConfig, align_plan, finish_align
from understudy.realism.by_turn import fit_by_turn
from understudy.realism.perplexity import unigram_perplexity
from understudy.report.card_page import render, rows_of, verdict
from understudy.runs import RunFolder
from understudy.scheduler import run_stages
from understudy.types import Message

CALL = Turn("assistant", "", {"tool_calls": [{"id": "1"}]})


def talk(*texts: str, name: str = "c", person: str | None = None) -> Conversation:
    return Conversation(name, tuple(Turn("assistant" if i % 2 else "user", t) for i, t in enumerate(texts)), person)


def test_who_leaves_and_how() -> None:
    silent = as_dialogue(talk("i want red", "which one ?"))
    assert silent.messages[-1] == Message("user", "", end=True)
    spoken = as_dialogue(talk("i want red", "which one ?", "bye"))
    assert spoken.messages[-1] == Message("user", "bye", end=True)
    assert (spoken.person, math.isnan(spoken.outcome.reward)) == ("c", True)


def test_tools_are_between_the_agent_and_its_machine() -> None:
    turns = (
        Turn("system", "you sell"),
        Turn("user", "red"),
        Turn("assistant", "wait"),
        CALL,
        Turn("tool", "7"),
        Turn("assistant", "seven left"),
    )
    found = as_dialogue(Conversation("c", turns, extra={"task": {"user_prompt": "you want red"}}), heard_words=2)
    assert [m.text for m in found.messages] == ["red", "wait seven ...", ""]
    assert (found.task.agent_prompt, found.task.user_prompt) == ("you sell", "you want red")


def test_long_dialogues_are_cut_after_a_message_of_the_user(tiny_model: ChatModel) -> None:
    chat = ChatFormat(tiny_model.tokenizer, "user")
    whole = as_dialogue(talk("red", "green ?", "blue", "black ?"))
    tokens = len(examples_of([whole], chat)[0].ids)
    assert truncate([whole], chat, tokens).dialogues == [whole]
    found = truncate([whole, whole], chat, tokens - 1)
    assert (found.cut, found.dropped) == (2, 0)
    assert found.dialogues[0].messages == whole.messages[:3]
    assert not found.dialogues[0].messages[-1].end
    assert len(examples_of(found.dialogues, chat)[0].ids) < tokens
    assert truncate([whole], chat, 3).dropped == 1


@torch.no_grad()
def test_leaving_and_words_by_turn_against_one_forward_pass(tiny_model: ChatModel) -> None:
    dialogues = [as_dialogue(talk("red", "green ?", "blue"))] * 6 + [as_dialogue(talk("i want red", "which ?"))] * 5
    found = fit_by_turn(tiny_model, dialogues, seed=0)
    assert [(t.turn, t.dialogues) for t in found] == [(0, 11), (1, 11)]
    assert [t.people_leave.mean for t in found] == [0, 1]
    chat = ChatFormat.of(tiny_model, "user")
    leave = chat.end_of_dialogue
    assert leave is not None
    nll, tokens, leaves = 0.0, 0, []
    for dialogue in dialogues:
        ids, mask = chat.dialogue("", dialogue.messages)
        logp = torch.log_softmax(tiny_model.model(torch.tensor([ids])).logits[0].float(), -1)
        second = [i for i, own in enumerate(mask) if own and not mask[i - 1]][1]
        said = range(second, len(ids))
        nll -= sum(float(logp[i - 1, ids[i]]) for i in said)
        tokens += len(said)
        leaves.append(float(logp[second - 1, leave].exp()))
    assert found[1].perplexity.mean == pytest.approx(math.exp(nll / tokens), rel=0.02)
    assert found[1].model_leaves.mean == pytest.approx(np.mean(leaves), rel=0.02)
    ids = torch.tensor([chat.dialogue("", dialogues[0].messages)[0]])
    logprobs, chance = token_logprobs_and_chance(tiny_model.model, ids, leave)
    assert logprobs[0, 0] == chance[0, 0] == 0


def test_unigram_perplexity_by_hand() -> None:
    train, held_out = [Example([0, 1, 1, 2], [False, True, True, True])], [Example([1, 2], [True, True])]
    # Of 3 tokens, one added to each: 1, 3 and 2 of 6.
    assert unigram_perplexity(train, held_out, 3) == pytest.approx(math.sqrt((6 / 3) * (6 / 2)))


@pytest.mark.slow
def test_a_user_that_leaves_when_people_do(tmp_path: Path) -> None:
    """People leave for good after the third answer, or at once after `sorry`."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(260):
        texts: list[str] = []
        for turn in range(3):
            sorry = rng.random() < 0.3
            texts += [["hello", "which one ?", "how much ?"][turn], "sorry" if sorry else "that is fine"]
            if sorry:
                break
        made.append(talk(*texts, name=str(number), person=f"p{number}"))
    write_records(tmp_path / "align.jsonl", (c.record() for c in made[:200]))
    write_records(tmp_path / "heldout.jsonl", (c.record() for c in made[200:]))
    small = ["user_model.hidden=32", "user_model.layers=2", "user_model.heads=4", "user_model.kv_heads=4"]
    config = load_config(
        overrides=[*small, "user_model.intermediate=64", "sft.steps=250", "sft.epochs=60", "sft.batch_tokens=1024"],
        preset="align",
    )
    asked = AlignConfig(
        logs=(str(tmp_path),), format=None, columns=None, keep_duplicates=False, names=None, region="US",
        heard_words=None, seed=0, user_model=config.user_model, sft=config.sft,
    )  # fmt: skip
    run = RunFolder.create(tmp_path / "user", asked, inputs=asked.inputs())
    run_stages(run, align_plan(asked), jobs=1)
    card = finish_align(run)
    assert [t.model_leaves.mean for t in card.turns] == pytest.approx(
        [t.people_leave.mean for t in card.turns], abs=0.1
    )
    assert card.turns[-1].people_leave.mean == 1
    assert card.perplexity < 2 < card.unigram
    assert json.loads((tmp_path / "user/card.json").read_text())["conversations"] == 200
    page = render(card)
    assert page.count("<svg") == 2
    assert verdict(card.turns) in page.replace("&#39;", "'")
    assert len(rows_of(card)) == len(card.turns) == 4
    (tmp_path / "heldout.jsonl").unlink()
    with pytest.raises(LogError, match=r"no heldout\.jsonl"):
        asked.inputs()


TINY = ("hidden=16", "layers=1", "heads=4", "kv_heads=4", "intermediate=16", "vocabulary=300")
SETTINGS = [
    part for key in (*(f"user_model.{size}" for size in TINY), "sft.steps=3", "sft.epochs=1") for part in ("--set", key)
]


def chats(path: Path, count: int = 60) -> None:
    """Of 20 persons, in the form of ShareGPT; one has no answer, and each gives an address."""
    records = [
        {
            "id": f"c{number}",
            "user_id": f"ada{number % 20}",
            "conversations": [
                {"from": "human", "value": f"where is parcel {number} ? write to ada{number}@example.org"},
                *(
                    [{"from": "gpt", "value": f"parcel {number * 7} of street {number * 3} is on its way"}]
                    if number
                    else []
                ),
                {"from": "human", "value": f"thanks , until day {number * 11}"},
            ],
        }
        for number in range(count)
    ]
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n")


def test_any_logs_become_a_user_by_one_command(tmp_path: Path) -> None:
    chats(tmp_path / "chats.jsonl")
    done = understudy("align", "chats.jsonl", "--out", "mine", *SETTINGS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for shown in ("nothing said by the assistant", "replaced: EMAIL", "heldout", "people leave", "mine/card.html"):
        assert shown in done.stdout
    stages = tmp_path / "mine" / "stages"
    assert len((stages / "imported/logs/rejects.jsonl").read_text().splitlines()) == 1
    assert "chats.jsonl" in (stages / "described/logs.html").read_text()
    persons = []
    for part in ("align", "heldout"):
        text = (stages / f"split/parts/{part}.jsonl").read_text()
        assert "example.org" not in text
        assert "[EMAIL_1]" in text
        persons.append({json.loads(line)["person"] for line in text.splitlines()})
    assert not persons[0] & persons[1]
    assert len(persons[0] | persons[1]) == 20
    assert load_chat_model(tmp_path / "mine/model").parameters > 0
    assert json.loads((tmp_path / "mine/card.json").read_text())["held_out"] == 12

    # It goes on where it was, with the same logs alone.
    shutil.rmtree(stages / "card")
    again = understudy("align", "chats.jsonl", "--out", "mine", *SETTINGS, "--resume", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("done before:") == 5
    assert "people leave" in again.stdout
    chats(tmp_path / "chats.jsonl", 50)
    other = understudy("align", "chats.jsonl", "--out", "mine", *SETTINGS, "--resume", cwd=tmp_path)
    assert other.returncode == 2
    assert "other input files" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["parts/", "--out", "x", "--names", "staff.txt"], ["--names", "split already"]),
        (["parts", "--out", "parts/x"], ["among the logs"]),
        (["chats.jsonl", "--out", "x", "--region", "UK"], ["UK", "GB"]),
        (["chats.jsonl", "--out", "x", "--names", "absent.txt"], ["absent.txt"]),
    ],
)
def test_what_cannot_be_meant_is_told_before_any_work(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    chats(tmp_path / "chats.jsonl")
    (tmp_path / "parts").mkdir()
    for part in ("align", "heldout"):
        chats(tmp_path / "parts" / f"{part}.jsonl")
    done = understudy("align", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    for word in words:
        assert word in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["align.jsonl", "chats.jsonl", "heldout.jsonl", "parts"]


def test_the_same_logs_may_be_written_otherwise() -> None:
    config = load_config(preset="align")
    one, other = (
        AlignConfig(
            logs=(path, "hub:a/b"), format=None, columns=None, keep_duplicates=False, names=None, region="US",
            heard_words=None, seed=0, user_model=config.user_model, sft=config.sft,
        )
        for path in ("./logs/", "logs")
    )  # fmt: skip
    assert one == other


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '{"messages": [{"role": "user", "content": "hello"}]}\n',
            ["none of 1 conversations can be used", "nothing said by"],
        ),
        ("colour,size\nred,2\n", ["chats.jsonl"]),
    ],
)
def test_logs_that_cannot_be_used_leave_nothing(text: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "chats.jsonl").write_text(text)
    done = understudy("align", "chats.jsonl", "--out", "mine", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert not (tmp_path / "mine").exists()
