"""A speaker whose tokens an engine samples says what it would say by itself, from ids that are only ever appended to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.models.chat_model import ChatModel
from understudy.models.sampler import Sampled, Sampler
from understudy.models.served_sampler import ServedSampler
from understudy.models.speaker import ModelSpeaker
from understudy.speaker import Request
from understudy.types import Message

WIDTH, LONGEST = 3, 6


class Engine:
    """Samples greedily, each time from the start."""

    def __init__(self, model: ChatModel, stop: int) -> None:
        self.model, self.stop, self.sent = model, stop, [[0]]

    def __call__(self, prompts: list[list[int]]) -> list[Sampled]:
        self.sent += prompts
        sampler = Sampler(self.model.model, len(prompts))
        uniforms = np.zeros((len(prompts), 1, LONGEST))
        written = sampler.sample(range(len(prompts)), prompts, uniforms, stops=[self.stop], temperature=0.0)
        return [only for (only,) in written]


def speakers(model: ChatModel) -> tuple[ModelSpeaker, ModelSpeaker, Engine]:
    own, served = (
        ModelSpeaker(model, "agent", width=WIDTH, max_message_tokens=LONGEST, temperature=0.0) for _ in range(2)
    )
    engine = Engine(model, served.format.end_of_turn)
    served.sampler = ServedSampler(WIDTH, engine)
    return own, served, engine


def request(key: int, messages: tuple[Message, ...]) -> Request:
    return Request(key, "agent", "you sell paint", messages, seed=key)


@pytest.fixture(autouse=True)
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.models.sampler.sampling_dtype", lambda: torch.float32)  # no ties by rounding


def test_messages_and_records_are_the_samplers_own(tiny_model: ChatModel) -> None:
    own, served, engine = speakers(tiny_model)
    said = {key: (Message("user", "i want red" + " please" * key),) for key in range(WIDTH)}
    for turn in range(3):
        asked = [request(key, said[key]) for key in said if (key + turn) % 3]
        answers = own.reply(asked)
        assert served.reply(asked) == answers
        for sent, answer in zip(asked, answers, strict=True):
            assert isinstance(answer, Message)
            said[sent.key] = (*said[sent.key], answer, Message("user", "red"))
    records = [own.finish(key) for key in said]
    assert [served.finish(key) for key in said] == records
    assert all(record is not None and len(record.spans) == 2 for record in records)
    assert served.sampler.held.tolist() == [0] * WIDTH
    # A place is free for another dialogue, of which nothing of the last one is left.
    again = [request(9, (Message("user", "blue"),))]
    assert served.reply(again) == own.reply(again)
    assert engine.sent[-1] == served._views[9].ids[: len(engine.sent[-1])]


def test_a_message_taken_back_is_forgotten_and_alternatives_leave_nothing(tiny_model: ChatModel) -> None:
    own, served, engine = speakers(tiny_model)
    first = (Message("user", "i want red"),)
    for speaker in (own, served):
        speaker.reply([request(0, first)])
        speaker.take_back(0)
    other = (*first, Message("agent", "which one"), Message("user", "blue"))
    assert served.reply([request(0, other)]) == own.reply([request(0, other)])
    begun = len(engine.sent)
    found = served.alternatives([request(1, first), request(2, other)], 2)
    assert [len(ways) for ways in found if isinstance(ways, list)] == [2, 2]
    assert len(engine.sent) == begun + 4
    assert found == own.alternatives([request(1, first), request(2, other)], 2)
    assert served.sampler.held[1:].tolist() == [0, 0]


def test_new_weights_forget_all_places(tiny_model: ChatModel) -> None:
    _, served, engine = speakers(tiny_model)
    served.reply([request(0, (Message("user", "i want red"),))])
    served.sampler.load_weights(tiny_model.model)
    assert served.sampler.held.tolist() == [0] * WIDTH
    served.sampler.sample([0], [[5, 6]], np.zeros((1, 1, LONGEST)), stops=[engine.stop], temperature=0.0)
    assert engine.sent[-1] == [5, 6]
