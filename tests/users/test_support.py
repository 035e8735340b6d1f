"""What an aligned user has learned to answer: measured on logs, kept beside the model, and left where an agent goes beyond."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from understudy.align.support import atypicalities, fit_support
from understudy.config import SamplingConfig
from understudy.errors import LogError, ModelError
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.speaker import Request
from understudy.types import Dialogue, Message
from understudy.users.aligned import AlignedSpeaker
from understudy.users.cautious import CautiousSpeaker
from understudy.users.load import load_user
from understudy.users.residual import ResidualEnergy
from understudy.users.support import FILE, Support

LEAVES = Message("user", "", end=True)


@pytest.fixture(autouse=True)
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.models.sampler.sampling_dtype", lambda: torch.float32)
    monkeypatch.setattr("understudy.models.precision.fast_bf16", lambda: False)


def speaker(model: ChatModel, limit: float, residual: ResidualEnergy | None = None) -> CautiousSpeaker:
    sampling = SamplingConfig(width=64, max_message_tokens=6)
    return CautiousSpeaker(model, residual, Support(limit, 9, 0.9, 10), sampling, candidates=3)


def answers(speaker: ModelSpeaker, dialogues: list[Dialogue]) -> list[Message]:
    """To everything that the agents said, each dialogue as far as that."""
    said = []
    for dialogue in dialogues:
        for end, message in enumerate(dialogue.messages, start=1):
            if message.role == "agent":
                request = Request(3, "user", dialogue.task.user_prompt, dialogue.messages[:end], seed=end)
                (answer,) = speaker.reply([request])
                assert isinstance(answer, Message)
                said.append(answer)
                speaker.finish(3)
    return said


def test_a_message_is_measured_with_its_end_against_what_the_model_would_say(
    tiny_model: ChatModel, colour_logs: list[Dialogue]
) -> None:
    dialogue = colour_logs[1]
    chat = ChatFormat.of(tiny_model, "user")
    ids = torch.tensor([chat.dialogue(dialogue.task.user_prompt, dialogue.messages)[0]])
    with torch.no_grad():
        logp = torch.log_softmax(tiny_model.model(ids).logits[0].float(), -1)
    entropy = -(logp.exp() * logp).sum(-1)
    variance = (logp.exp() * logp**2).sum(-1) - entropy**2
    expected = []
    for end, message in enumerate(dialogue.messages, start=1):
        if message.role == "agent":
            stop = len(chat.dialogue(dialogue.task.user_prompt, dialogue.messages[:end])[0])
            words = range(stop - len(chat.words(message.text)) - 1, stop)  # and the end of the turn
            beyond = sum(float(-logp[place - 1, ids[0, place]] - entropy[place - 1]) for place in words)
            expected.append(beyond / (1 + sum(float(variance[place - 1]) for place in words)) ** 0.5)
    assert atypicalities(tiny_model, [dialogue], batch_tokens=96) == pytest.approx(expected, abs=1e-3)


def test_so_many_of_the_held_out_messages_are_inside(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    found = fit_support(tiny_model, 0.8, logs=colour_logs, held_out=colour_logs, batch_tokens=200)
    far = np.array(atypicalities(tiny_model, colour_logs, batch_tokens=400))
    assert found.messages == len(far) == sum(m.role == "agent" for d in colour_logs for m in d.messages)
    assert (far <= found.limit + 1e-3).mean() == pytest.approx(0.8, abs=0.05)


def test_who_says_a_thing_again_more_often_than_agents_do_is_left(
    tiny_model: ChatModel, colour_logs: list[Dialogue]
) -> None:
    said = colour_logs[0].messages
    words = (said[0], Message("agent", "take red"), Message("user", "take red"), Message("agent", "take  Red"))
    again = (
        *words,
        Message("user", "no"),
        Message("agent", "what then"),
        Message("user", "no"),
        Message("agent", "take red"),
    )
    requests = [Request(k, "user", colour_logs[0].task.user_prompt, m, seed=1) for k, m in enumerate((words, again))]
    sampling = SamplingConfig(width=64, max_message_tokens=6)
    for repeats, left in ((0, [True, True]), (1, [False, True]), (2, [False, False])):
        user = CautiousSpeaker(tiny_model, None, Support(1e6, repeats, 0.9, 10), sampling, candidates=1)
        assert [answer == LEAVES for answer in user.reply(requests)] == left


def test_who_repeats_is_left_among_others_who_are_answered(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    """What it would have read is read no more; the others' words do not depend on it, nor do those of who takes its place."""
    one, other = [d for d in colour_logs if len(d.messages) == 4][:2]
    repeated = (*one.messages[:3], one.messages[1])
    sampling = SamplingConfig(width=2, max_message_tokens=6)
    energy = ResidualEnergy({"word:red:10": 2.0})

    def made() -> CautiousSpeaker:
        return CautiousSpeaker(tiny_model, energy, Support(1e6, 0, 0.9, 10), sampling, candidates=3)

    def asked(key: int, dialogue: Dialogue, messages: tuple[Message, ...]) -> Request:
        return Request(key, "user", dialogue.task.user_prompt, messages, seed=key)

    def answered(key: int, dialogue: Dialogue) -> list[Message]:
        alone = made()
        return [alone.reply([asked(key, dialogue, dialogue.messages[:end])])[0] for end in (2, 4)]

    user = made()
    first = user.reply([asked(0, one, one.messages[:2]), asked(1, other, other.messages[:2])])
    second = user.reply([asked(0, one, repeated), asked(1, other, other.messages)])
    assert second[0] == LEAVES
    assert [first[1], second[1]] == answered(1, other)
    user.finish(0)
    assert [user.reply([asked(2, one, one.messages[:end])])[0] for end in (2, 4)] == answered(2, one)


def test_repeats_are_counted_in_all_logs(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    said = colour_logs[0].messages
    repeating = replace(colour_logs[0], messages=(*said[:2], said[0], said[1], said[0], said[1]))
    once = [replace(colour_logs[1], messages=colour_logs[1].messages[:2])]
    found = {
        quantile: fit_support(tiny_model, quantile, logs=[repeating, *once], held_out=once, batch_tokens=400).repeats
        for quantile in (0.3, 0.6, 0.99)
    }
    assert found == {0.3: 0, 0.6: 1, 0.99: 2}


def test_it_leaves_where_the_logs_end_and_answers_as_before_where_they_do_not(
    tiny_model: ChatModel, colour_logs: list[Dialogue]
) -> None:
    logs = colour_logs[:20]
    far = atypicalities(tiny_model, logs, batch_tokens=400)
    limit = float(np.median(far)) + 1e-3  # which is one of them
    plain = answers(ModelSpeaker(tiny_model, "user", width=64, max_message_tokens=6), logs)
    assert LEAVES not in plain
    cautious = answers(speaker(tiny_model, limit), logs)
    assert [LEAVES if s > limit else p for s, p in zip(far, plain, strict=True)] == cautious


def test_some_leave_while_others_are_answered(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    """In one batch, over two turns, among openings: words do not depend on who else leaves."""
    logs = [d for d in colour_logs[:20] if len(d.messages) == 4]
    first, second = ([d.messages[: n + 1] for d in logs] for n in (1, 3))
    limit = float(np.median(atypicalities(tiny_model, logs, batch_tokens=400)[::2])) + 1e-3

    def requests(said: list[tuple[Message, ...]], keys: list[int]) -> list[Request]:
        opening = Request(99, "user", "you want red", (), seed=99)
        return [opening, *(Request(k, "user", logs[k].task.user_prompt, said[k], seed=k) for k in keys)]

    energy = ResidualEnergy({"word:red:10": 2.0})
    user = speaker(tiny_model, limit, energy)
    _, *found = user.reply(requests(first, list(range(len(logs)))))
    stayed = [k for k, answer in enumerate(found) if answer != LEAVES]
    assert 0 < len(stayed) < len(logs)
    for key in [99, *(k for k in range(len(logs)) if k not in stayed)]:
        record = user.finish(key)
        assert record is not None
        assert len(record.ids) == len(record.logprobs)
    _, *later = user.reply(requests(second, stayed))
    for key, answer in zip(stayed, later, strict=True):
        alone = speaker(tiny_model, limit, energy)
        for said in (first[key], second[key]):
            (expected,) = alone.reply([Request(0, "user", logs[key].task.user_prompt, said, seed=key)])
        assert answer == expected


def test_a_message_without_a_word_has_an_end_that_is_measured(
    tiny_model: ChatModel, colour_logs: list[Dialogue]
) -> None:
    said = colour_logs[0].messages
    silent = replace(colour_logs[0], messages=(said[0], Message("agent", ""), Message("user", "pink"), said[1]))
    empty, last = atypicalities(tiny_model, [silent], batch_tokens=96)
    for limit, left in ((empty - 0.01, True), (empty + 0.01, False)):
        request = Request(0, "user", silent.task.user_prompt, silent.messages[:2], seed=1)
        assert (speaker(tiny_model, limit).reply([request]) == [LEAVES]) == left
    assert last != empty


def test_a_model_that_cannot_leave_cannot_be_cautious(tiny_model: ChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChatFormat, "end_of_dialogue", None)
    with pytest.raises(ModelError, match="no token to leave with"):
        speaker(tiny_model, 1.0)


def test_a_model_gone_wrong_is_an_error(
    tiny_model: ChatModel, colour_logs: list[Dialogue], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.align.support.atypicality", lambda *tokens: math.nan)
    with pytest.raises(ModelError, match="infinitely unlikely"):
        fit_support(tiny_model, 0.9, logs=colour_logs, held_out=colour_logs, batch_tokens=200)


def test_only_who_asks_for_a_cautious_user_gets_one(tiny_model: ChatModel, tmp_path: Path) -> None:
    """Forecasts and measurements ask what people would say, whatever they are told."""
    tiny_model.save(tmp_path)
    Support(3.0, 0, 0.99, 10).save(tmp_path)
    sampling = SamplingConfig(width=2)
    assert type(load_user(tmp_path, sampling, candidates=2)) is ModelSpeaker
    assert isinstance(load_user(tmp_path, sampling, candidates=2, cautious=True), CautiousSpeaker)
    ResidualEnergy({"word:red:10": 2.0}).save(tmp_path)
    assert type(load_user(tmp_path, sampling, candidates=2)) is AlignedSpeaker
    cautious = load_user(tmp_path, sampling, candidates=2, cautious=True)
    assert isinstance(cautious, CautiousSpeaker)
    assert (cautious.residual, cautious.candidates) == (ResidualEnergy({"word:red:10": 2.0}), 2)


def test_logs_without_a_message_that_fits_are_an_error(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    long = [replace(d, task=replace(d.task, user_prompt="red " * 200)) for d in colour_logs[:3]]
    with pytest.raises(LogError, match="none of 3 held-out dialogues"):
        fit_support(tiny_model, 0.9, logs=colour_logs, held_out=long, batch_tokens=96)


def test_a_support_is_kept_beside_its_model(tmp_path: Path) -> None:
    assert Support.load(tmp_path) is None
    Support(12.5, 1, 0.999, 800).save(tmp_path)
    assert Support.load(tmp_path) == Support(12.5, 1, 0.999, 800)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        '{"limit": "x"}',
        '{"limit": 3}',
        '{"limit": 3, "quantile": 0.9, "messages": 5}',
        '{"limit": NaN, "repeats": 0, "quantile": 0.9, "messages": 5}',
        '{"limit": 3, "repeats": -1, "quantile": 0.9, "messages": 5}',
        '{"limit": 3, "repeats": Infinity, "quantile": 0.9, "messages": 5}',
        '{"limit": 3, "repeats": 0, "quantile": 2, "messages": 5}',
    ],
)
def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ModelError, match="not the support of a user"):
        Support.load(tmp_path)
