"""One step off the logs: what a speaker says in place of logged messages."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch

from understudy.models.chat_model import ChatModel
from understudy.models.sampler import Sampled, Sampler
from understudy.models.speaker import ModelSpeaker
from understudy.one_step import OneStep, one_step
from understudy.speaker import Failure, Request
from understudy.types import Dialogue, Message, Role, TokenRecord


class Afresh:
    """A model that reads everything again for each message."""

    def __init__(self, inner: ModelSpeaker) -> None:
        self.inner = inner

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return self.inner.reply(requests)

    def finish(self, key: int) -> TokenRecord | None:
        return self.inner.finish(key)


def longer(dialogue: Dialogue, index: int) -> Dialogue:
    """With up to three more turns of each side."""
    more = [Message("user", f"{'really ' * i}green please") for i in range(index % 4)]
    said = [m for user in more for m in (user, Message("agent", "we have that"))]
    return dataclasses.replace(dialogue, messages=(*dialogue.messages[:2], *said, *dialogue.messages[2:]))


def steps(speaker: ModelSpeaker | Afresh, side: Role, logs: list[Dialogue], contexts: int = 10**6) -> list[OneStep]:
    return one_step(speaker, side, logs, contexts=contexts, width=8, seed=3)


@pytest.mark.parametrize(("side", "restated"), [("agent", False), ("user", False), ("user", True)])
@pytest.mark.parametrize("contexts", [10**6, 25])
def test_a_dialogue_is_read_once_and_nothing_of_the_own_words_is_kept(
    side: Role,
    restated: bool,
    contexts: int,
    tiny_model: ChatModel,
    colour_logs: list[Dialogue],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tiny_model.model.config, "restate_prompt", restated)
    monkeypatch.setattr(tiny_model.model.config, "max_position_embeddings", 400)  # rotary: any length will do
    monkeypatch.setattr("understudy.models.sampler.sampling_dtype", lambda: torch.float32)
    fed: list[int] = []
    sample = Sampler.sample

    def counted(
        self: Sampler, places: object, new_ids: Sequence[Sequence[int]], *args: object, **kwargs: object
    ) -> list[list[Sampled]]:
        fed.append(sum(map(len, new_ids)))
        return sample(self, places, new_ids, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Sampler, "sample", counted)
    logs = [longer(d, i) for i, d in enumerate(colour_logs[:20])]
    speaker = ModelSpeaker(tiny_model, side, width=8, max_message_tokens=6)
    kept = steps(speaker, side, logs, contexts)
    once, again = sum(fed), Afresh(ModelSpeaker(tiny_model, side, width=8, max_message_tokens=6))
    fed.clear()
    afresh = steps(again, side, logs, contexts)
    assert kept == afresh
    assert len({step.message.text for step in kept}) > 10
    assert once < (0.7 if contexts > 25 else 1) * sum(fed)
    assert len(kept) == min(contexts, sum(m.role == side for d in logs for m in d.messages))
    assert all(step.logged.role == side and step.dialogue in logs for step in kept)
    assert speaker.sampler.held.sum() == 0, "no dialogue is left open"


def test_a_context_that_is_full_is_left_out_and_those_before_it_are_not(
    tiny_model: ChatModel, colour_logs: list[Dialogue], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = [longer(colour_logs[0], 3)]
    whole = steps(ModelSpeaker(tiny_model, "agent", width=8, max_message_tokens=6), "agent", logs)
    speaker = ModelSpeaker(tiny_model, "agent", width=8, max_message_tokens=6)
    speaker.max_length = 30
    some = steps(speaker, "agent", logs)
    assert 0 < len(some) < len(whole)
    assert {s.position for s in some} == set(sorted(s.position for s in whole)[: len(some)])
