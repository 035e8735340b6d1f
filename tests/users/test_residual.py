"""The residual energy: kept beside the model, learned from logs, and felt in what the user says."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from understudy.align.residual import fit_residual
from understudy.align.sft import fit
from understudy.config import ResidualConfig, SamplingConfig, SFTConfig
from understudy.errors import LogError, ModelError
from understudy.models.chat_model import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.speaker import Request
from understudy.types import Dialogue, Message
from understudy.users.aligned import AlignedSpeaker
from understudy.users.residual import FILE, ResidualEnergy

GOAL = "you want red"


def openings(speaker: ModelSpeaker, keys: range, goal: str = GOAL) -> list[Message]:
    answers = speaker.reply([Request(key, "user", goal, (), seed=key) for key in keys])
    for key in keys:
        speaker.finish(key)
    return [answer for answer in answers if isinstance(answer, Message)]


def aligned(model: ChatModel, weights: dict[str, float], candidates: int, width: int = 40) -> AlignedSpeaker:
    sampling = SamplingConfig(width=width, max_message_tokens=6)
    return AlignedSpeaker(model, ResidualEnergy(weights), sampling, candidates=candidates)


@pytest.fixture(scope="module")
def fitted(tiny_model: ChatModel) -> ChatModel:
    """A user that talks like the logs but has not learned which colour it wants."""
    from conftest import colour_dialogue

    logs = [colour_dialogue(i) for i in range(60)]
    model = ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer)
    # By AdamW, as Muon would teach it too much.
    sft = SFTConfig(steps=60, learning_rate=3e-3, matrix_learning_rate=None, batch_tokens=512)
    fit(model, "user", logs[:45], logs[45:], sft, seed=0)
    return model


def test_no_energy_and_one_candidate_say_what_the_model_says(tiny_model: ChatModel) -> None:
    plain = ModelSpeaker(tiny_model, "user", width=40, max_message_tokens=6)
    assert openings(aligned(tiny_model, {"word:red:10": 9.0}, 1), range(8)) == openings(plain, range(8))


def test_candidates_are_drawn_by_their_energy(fitted: ChatModel) -> None:
    """With weight w on a word that a share p of the candidates has, p exp(w) / (p exp(w) + 1 - p) of the replies have it."""

    def share(weight: float, candidates: int) -> float:
        said = openings(aligned(fitted, {"word:red:10": weight}, candidates, width=400), range(400))
        return sum("red" in m.text.split() for m in said) / len(said)

    plain = share(0.0, 8)
    assert 0.05 < plain < 0.6
    tilted = 2.718 * plain / (2.718 * plain + 1 - plain)
    assert share(1.0, 8) == pytest.approx(tilted, abs=0.08)
    assert share(-9.0, 8) < 0.3 * plain


def test_words_do_not_depend_on_neighbours(fitted: ChatModel) -> None:
    weights = {"word:red:10": 1.0}
    together, alone = (
        openings(aligned(fitted, weights, 3), range(8)),
        openings(aligned(fitted, weights, 3), range(4, 5)),
    )
    assert alone == together[4:5]


def test_the_record_holds_the_candidate_that_was_said(fitted: ChatModel) -> None:
    """Over two turns: what was said, and not another candidate, is what the model goes on from."""
    speaker = aligned(fitted, {"word:red:10": 2.0}, 5)
    said: tuple[Message, ...] = ()
    for agent in ("which colour ?", "take green"):
        (answer,) = speaker.reply([Request(3, "user", GOAL, said, seed=3)])
        assert isinstance(answer, Message)
        said = (*said, answer, Message("agent", agent))
    record = speaker.finish(3)
    assert record is not None
    # `text` leaves out the token that ends a message.
    spoken = [speaker.format.text(record.ids[start:stop]) for start, stop in record.spans]
    assert spoken == [m.text for m in said if m.role == "user"]
    with torch.no_grad():
        ids = torch.tensor([record.ids], device=fitted.model.device)
        logits = fitted.model(ids).logits.float().cpu()
    logp = torch.log_softmax(logits[0, :-1], -1).gather(1, torch.tensor(record.ids[1:])[:, None])[:, 0]
    for position in (i for i, own in enumerate(record.sampled) if own):
        assert float(logp[position - 1]) == pytest.approx(record.logprobs[position], abs=0.05)


def test_what_the_model_gets_wrong_is_learned_from_logs(fitted: ChatModel, colour_logs: list[Dialogue]) -> None:
    config = ResidualConfig(contexts=100)
    energy, made = fit_residual(fitted, colour_logs, config, max_message_tokens=6, temperature=1.0, seed=1)
    assert made.contexts == sum(m.role == "user" for d in colour_logs for m in d.messages)
    right, wrong = (Message("user", f"i want {colour} please") for colour in ("red", "green"))
    assert energy.energy(GOAL, (), right) > energy.energy(GOAL, (), wrong) + 1
    plain = openings(ModelSpeaker(fitted, "user", width=200, max_message_tokens=6), range(200))
    better = openings(aligned(fitted, dict(energy.weights), 8, width=200), range(200))
    hits = [sum("red" in m.text.split() for m in said) for said in (plain, better)]
    assert hits[1] > 1.5 * hits[0]


def test_where_people_talk_like_the_model_there_is_little_to_learn(
    fitted: ChatModel, colour_logs: list[Dialogue]
) -> None:
    speaker = ModelSpeaker(fitted, "user", width=60, max_message_tokens=6)
    goals = [d.task.user_prompt for d in colour_logs]
    replies = speaker.reply([Request(key, "user", goal, (), seed=key) for key, goal in enumerate(goals)])
    own = [replace(d, messages=(m,)) for d, m in zip(colour_logs, replies, strict=True) if isinstance(m, Message)]
    config = ResidualConfig(contexts=100)
    _, same = fit_residual(fitted, own, config, max_message_tokens=6, temperature=1.0, seed=1)
    _, other = fit_residual(fitted, colour_logs, config, max_message_tokens=6, temperature=1.0, seed=1)
    assert same.held_out_nats < 0.05 < other.held_out_nats


def test_logs_that_do_not_fit_the_model_are_an_error(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    long = [replace(d, task=replace(d.task, user_prompt="red " * 200)) for d in colour_logs[:3]]
    with pytest.raises(LogError, match="fits the model's context"):
        fit_residual(tiny_model, long, ResidualConfig(), max_message_tokens=6, temperature=1.0, seed=1)


def test_an_energy_is_kept_beside_its_model(tmp_path: Path) -> None:
    assert ResidualEnergy.load(tmp_path) is None
    ResidualEnergy({"a": 0.5, "b": -2.0}).save(tmp_path)
    assert ResidualEnergy.load(tmp_path) == ResidualEnergy({"b": -2.0, "a": 0.5})


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": "x"}'])
def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ModelError, match="not a residual energy"):
        ResidualEnergy.load(tmp_path)
