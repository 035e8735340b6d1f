"""Passes that are captured and replayed against passes that are run; where there is no GPU, with a stand-in for CUDA graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from architectures import random_model
from understudy.config import ModelConfig
from understudy.models import cache, decoding
from understudy.models.cache import RaggedCache
from understudy.models.chat_model import ChatModel
from understudy.models.precision import default_device
from understudy.models.sampler import Sampled, Sampler
from understudy.models.start import start_model

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")


class Replayed:
    """As a captured pass: knows the tensors of the moment it was made, and sees new values only where these are written."""

    made = 0

    def __init__(
        self, forward: decoding.Forward, cache: RaggedCache, arguments: Sequence[torch.Tensor], memory: object
    ) -> None:
        type(self).made += 1
        self.arguments = [argument.clone() for argument in arguments]
        self.forward, self.cache = forward, cache
        self.held = self.tensors()

    def __call__(self, *arguments: torch.Tensor) -> torch.Tensor:
        for mine, given in zip(self.arguments, arguments, strict=True):
            mine.copy_(given)
        now = self.tensors()
        assert all(a is b for a, b in zip(now, self.held, strict=True)), "a replay would write to tensors that are gone"
        return self.forward(self.cache, *self.arguments)

    def tensors(self) -> list[torch.Tensor]:
        return [*self.cache.keys, *self.cache.values, *self.cache.states._kept.values()]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[Replayed]:
    class Counted(Replayed):
        pass

    monkeypatch.setattr(decoding, "CapturedStep", Counted)
    monkeypatch.setattr(decoding, "GraphMemory", lambda device: None)
    monkeypatch.setattr(decoding, "host_may_not_wait", nullcontext)
    return Counted


def two_turns(model: ChatModel | PreTrainedModel, *, captures: bool, tokens: int = 40) -> list[list[Sampled]]:
    """Two messages of each of six dialogues in a house of eight, and one of all eight; ends come at different times."""
    model = model.model if isinstance(model, ChatModel) else model
    sampler, generator = Sampler(model, width=8), np.random.default_rng(0)
    sampler._step.captures = captures
    ids = [[5 + (k + i) % 20 for i in range(3 + k)] for k in range(8)]
    stops = range(0, model.config.vocab_size, 37)  # a freshly made model comes upon one of them soon
    found = []
    for places in ([0, 1, 2, 4, 5, 7], [0, 1, 2, 4, 5, 7], list(range(8))):
        uniforms = generator.random((len(places), 1, tokens))
        unread = [ids[place] for place in places]
        found += sampler.sample(places, unread, uniforms, stops=[*stops], temperature=1.0)
    return found


def same(one: list[list[Sampled]], other: list[list[Sampled]]) -> bool:
    pairs = [(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True)]
    return all(a.ids == b.ids and np.allclose(a.logprobs, b.logprobs, atol=1e-3) for a, b in pairs)


def test_replayed_passes_write_what_passes_that_are_run_write(
    tiny_model: ChatModel, stand_in: type[Replayed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cache._BLOCK, default_device().type, 8)  # wide enough for a few tokens: it is widened often
    assert same(two_turns(tiny_model, captures=True), two_turns(tiny_model, captures=False))
    assert stand_in.made >= 6


@pytest.mark.parametrize("name", ["qwen3.5", "mamba", "jamba"])
def test_replayed_passes_move_recurrent_states_on(
    name: str, stand_in: type[Replayed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cache._BLOCK, default_device().type, 8)
    model = random_model(name)
    assert same(two_turns(model, captures=True), two_turns(model, captures=False))
    assert stand_in.made >= 3


def test_a_pass_is_captured_once_while_nothing_moves(tiny_model: ChatModel, stand_in: type[Replayed]) -> None:
    sampler = Sampler(tiny_model.model, width=3)
    sampler._step.captures = True
    sampler.sample([0, 1, 2], [[5], [6], [7]], np.full((3, 1, 20), 0.5), stops=[], temperature=1.0)
    assert stand_in.made == 1


@pytest.mark.parametrize("name", ["llama", "qwen3.5", "jamba"])
def test_a_model_that_cannot_be_captured_is_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        pytest.fail("it was captured")

    @contextmanager
    def noticed() -> Iterator[None]:
        yield
        raise RuntimeError("called a synchronizing CUDA operation")

    monkeypatch.setattr(decoding, "CapturedStep", refused)
    monkeypatch.setattr(decoding, "host_may_not_wait", noticed)
    model = random_model(name)
    assert same(two_turns(model, captures=True), two_turns(model, captures=False))


@gpu
def test_cuda_graphs_write_what_passes_that_are_run_write(tiny_model: ChatModel) -> None:
    assert same(two_turns(tiny_model, captures=True), two_turns(tiny_model, captures=False))


@gpu
@pytest.mark.parametrize("name", ["qwen3.5", "mamba", "jamba"])
def test_recurrent_layers_are_captured(name: str) -> None:
    model = random_model(name)
    sampler = Sampler(model, width=2)
    sampler.sample([0, 1], [[5], [6]], np.full((2, 1, 20), 0.5), stops=[], temperature=1.0)
    assert sampler._step.captures
    assert same(two_turns(model, captures=True), two_turns(model, captures=False))


@gpu
def test_an_adapter_is_captured(tiny_model: ChatModel, tmp_path: Path) -> None:
    tiny_model.save(tmp_path / "base")
    adapted = start_model([], ModelConfig(base=str(tmp_path / "base"), max_length=96, lora_rank=4), seed=0)
    sampler = Sampler(adapted.model, width=2)
    sampler.sample([0, 1], [[5], [6]], np.full((2, 1, 20), 0.5), stops=[], temperature=1.0)
    assert sampler._step.captures
    assert same(two_turns(adapted, captures=True), two_turns(adapted, captures=False))


@gpu
def test_captured_passes_share_their_memory(tiny_model: ChatModel) -> None:
    sampler, held = Sampler(tiny_model.model, width=8), []
    for seed in range(40):
        uniforms = np.random.default_rng(seed).random((5, 1, 40))
        sampler.sample(range(5), [[5 + seed]] * 5, uniforms, stops=[], temperature=1.0)
        for place in range(5):
            sampler.release(place)
        held.append(torch.cuda.memory_reserved())
    assert sampler._step.captures
    assert held[-1] == held[5]


@gpu
def test_a_model_that_asks_for_values_is_run_and_nothing_is_left_of_it(
    tiny_model: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = two_turns(tiny_model, captures=False)
    forward = Sampler._forward

    def asking(self: Sampler, *arguments: torch.Tensor) -> torch.Tensor:
        logits = forward(self, *arguments)  # type: ignore[arg-type]
        assert float(logits.sum()) == float(logits.sum())
        return logits

    monkeypatch.setattr(Sampler, "_forward", asking)
    assert same(two_turns(tiny_model, captures=True), plain)
    torch.cuda.empty_cache()
    assert torch.rand(1, device="cuda") < 1
