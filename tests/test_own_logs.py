"""From logs of one's own to a user model with a card."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

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
from understudy.pipeline.own_logs import align_on_logs
from understudy.realism.by_turn import fit_by_turn
from understudy.realism.perplexity import unigram_perplexity
from understudy.report.card_page import render, rows_of, verdict
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
    card = align_on_logs(tmp_path, tmp_path / "user", config, heard_words=None, seed=0)
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
    with pytest.raises(LogError, match="exists"):
        align_on_logs(tmp_path, tmp_path / "user", config, heard_words=None, seed=0)
    with pytest.raises(LogError, match=r"align\.jsonl: does not exist"):
        align_on_logs(tmp_path / "user", tmp_path / "other", config, heard_words=None, seed=0)
