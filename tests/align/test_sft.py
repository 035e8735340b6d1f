from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from understudy.align import sft_state
from understudy.align.copying import learn_copying
from understudy.align.sft import examples_of, fit, validation_split, weights_of
from understudy.align.sft_state import Epoch, SFTState
from understudy.config import ModelConfig, SFTConfig
from understudy.errors import LogError
from understudy.models import saved_state
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.tiny import new_model
from understudy.realism.perplexity import held_out_perplexity
from understudy.types import Dialogue, Message

SFT = SFTConfig(steps=40, epochs=20, learning_rate=3e-3, batch_tokens=512)


def test_no_person_is_on_both_sides(colour_logs: list[Dialogue]) -> None:
    train, validation = validation_split(colour_logs, 0.3, seed=1)
    assert {d.person for d in train}.isdisjoint({d.person for d in validation})
    assert len(train) + len(validation) == len(colour_logs)


def test_too_few_persons_is_an_error(colour_logs: list[Dialogue]) -> None:
    with pytest.raises(LogError, match="too few"):
        validation_split([d for d in colour_logs if d.person == "p0"], 0.3, seed=1)


def test_fitting_lowers_the_held_out_nll(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    model = ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer)
    history = fit(model, "user", colour_logs[:45], colour_logs[45:], SFT, seed=0)
    assert history[-1].step <= SFT.steps
    assert min(e.validation_nll for e in history) < 0.5 * history[0].validation_nll


def test_the_weights_of_the_best_epoch_are_kept(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    model = ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer)
    # Persons who say something else in the validation part: its NLL must rise while the training part is learned.
    strange = [replace(d, messages=tuple(replace(m, text="blue blue blue") for m in d.messages)) for d in colour_logs]
    config = SFT.model_copy(update={"steps": 160, "epochs": 80, "patience": 80})
    history = fit(model, "user", colour_logs[:45], strange[45:], config, seed=0)
    best = min(epoch.validation_nll for epoch in history)
    assert history[-1].validation_nll > best + 0.1
    assert math.log(held_out_perplexity([model], "user", strange[45:]).per_token) == pytest.approx(best, abs=1e-3)


def test_the_same_seed_gives_the_same_weights(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    one, two = (ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer) for _ in range(2))
    for model in (one, two):
        fit(model, "agent", colour_logs[:45], colour_logs[45:], SFT.model_copy(update={"steps": 5}), seed=4)
    for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_weights_of_the_loss_by_hand(
    tiny_model: ChatModel, system_first_tokenizer: PreTrainedTokenizerBase, colour_logs: list[Dialogue]
) -> None:
    messages = (Message("user", "red"), Message("agent", "which", shown="you want"), Message("user", "red"))
    dialogue = replace(colour_logs[0], task=replace(colour_logs[0].task, user_prompt="paint"), messages=messages)
    prompt, own, heard = [0.25] * (len(tiny_model.tokenizer.tokenize(" paint")) + 2), [0.25, 1.0, 1.0], [0.25] * 3
    before = [*prompt, *own, *heard]

    def weights(tokenizer: PreTrainedTokenizerBase) -> list[float]:
        chat = ChatFormat(tokenizer, "user")
        return weights_of(dialogue, examples_of([dialogue], chat)[0], chat, 0.25).tolist()

    # Shown as a system message, then the own turn; shown within it.
    assert weights(tiny_model.tokenizer) == [*before, *[0.25] * 4, 0.25, 1.0, 1.0]
    assert weights(system_first_tokenizer) == [*before, 0.25, 0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("within", [False, True])
def test_what_is_shown_is_never_learned_to_be_written(
    tiny_model: ChatModel, system_first_tokenizer: PreTrainedTokenizerBase, colour_logs: list[Dialogue], *, within: bool
) -> None:
    """Shown the prompt beside every other question, a user would foresee it there, and tell it where it is not shown."""
    logs = [
        replace(d, messages=tuple(replace(m, shown="you sell paint" if i % 4 == 1 else "") for m in d.messages))
        for i, d in enumerate(colour_logs)
    ]
    tokenizer = system_first_tokenizer if within else tiny_model.tokenizer
    model = ChatModel(copy.deepcopy(tiny_model.model), tokenizer)
    config = SFT.model_copy(update={"steps": 120, "epochs": 120, "other_side_weight": 1.0})
    fit(model, "user", logs[:45], logs[45:], config, seed=0)
    chat, asked = ChatFormat(model.tokenizer, "user"), colour_logs[47]
    ids, _ = chat.dialogue(asked.task.user_prompt, asked.messages[:2])
    ids += chat.before_own(asked.messages[:2])
    with torch.no_grad():
        chances = torch.softmax(model.model(torch.tensor([ids])).logits[0, -1], -1)
    told = float(chances[chat.words("you sell paint")[0]])
    assert told < 0.1


class Killed(BaseException):
    pass


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("saves", [1, 5, 6])
def test_a_killed_fitting_goes_on_to_the_same_weights_and_history(
    tiny_model: ChatModel,
    colour_logs: list[Dialogue],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    saves: int,
    dropout: float,
) -> None:
    """Killed once it has saved n times: in an epoch, at the end of one before it is measured, or after."""
    train, validation = colour_logs[:45], colour_logs[45:]
    config = SFT.model_copy(update={"steps": 11, "batch_tokens": 512, "dropout": dropout})
    whole, killed, resumed = (ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer) for _ in range(3))
    expected = fit(whole, "user", train, validation, config, seed=0)
    monkeypatch.setattr(sft_state, "_SAVE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(sft_state, "_SAVE_SHARE", math.inf)
    saved: list[int] = []

    def save(path: Path, state: dict[str, Any]) -> None:
        saved_state.save_state(path, state)
        saved.append(state["step"])
        if len(saved) == saves:
            raise Killed

    monkeypatch.setattr(sft_state, "save_state", save)
    with pytest.raises(Killed):
        fit(killed, "user", train, validation, config, seed=0, scratch=tmp_path)
    monkeypatch.setattr(sft_state, "save_state", lambda path, state: None)
    steps = 0

    def count(self: SFTState, nll: float, tokens: int, compared: float) -> None:
        nonlocal steps
        steps += 1
        stepped(self, nll, tokens, compared)

    stepped = SFTState.stepped
    monkeypatch.setattr(SFTState, "stepped", count)
    assert fit(resumed, "user", train, validation, config, seed=0, scratch=tmp_path) == expected
    assert steps == expected[-1].step - saved[-1], "it went on, and did not start anew"
    assert len(expected) > 1
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_dropout_keeps_a_model_from_learning_its_logs_by_heart(
    tiny_model: ChatModel, colour_logs: list[Dialogue]
) -> None:
    def history(dropout: float) -> list[Epoch]:
        model = ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer)
        return fit(
            model, "user", colour_logs[:45], colour_logs[45:], SFT.model_copy(update={"dropout": dropout}), seed=0
        )

    plain, dropped = history(0.0), history(0.3)
    assert dropped[-1].train_nll > plain[-1].train_nll
    assert dropped == history(0.3), "drawn from the seed"


@pytest.mark.slow
def test_copying_is_learned() -> None:
    config = ModelConfig(hidden=64, layers=2, heads=4, kv_heads=2, intermediate=128, vocabulary=64, max_length=96)
    model = new_model(config, seed=0)
    assert learn_copying(model, 600, seed=0) < 0.5 * math.log(config.vocabulary)
