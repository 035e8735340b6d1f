"""Recurrent layers, whose states no token can be taken out of, in a house of dialogues of different lengths."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transformers import Cache, PreTrainedModel
from transformers.models.minimax.configuration_minimax import MiniMaxConfig
from transformers.models.recurrent_gemma.configuration_recurrent_gemma import RecurrentGemmaConfig
from transformers.models.rwkv.configuration_rwkv import RwkvConfig
from transformers.models.xlstm.configuration_xlstm import xLSTMConfig

from architectures import CONFIGS, RECURRENT, SHAPE, random_model
from understudy.errors import ModelError
from understudy.models.attention import decoding_attention
from understudy.models.cache import RaggedCache
from understudy.models.chat_model import UNLIMITED, context_length
from understudy.models.layers import layers_of
from understudy.models.sampler import Sampled, Sampler

pytestmark = pytest.mark.usefixtures("fp32")


@pytest.fixture
def fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.models.sampler.sampling_dtype", lambda: torch.float32)


def ids(rng: np.random.Generator, *lengths: int) -> list[list[int]]:
    return [rng.integers(3, 200, size=n).tolist() for n in lengths]


def messages(sampler: Sampler, places: Sequence[int], new: list[list[int]], count: int = 1) -> list[list[Sampled]]:
    uniforms = np.random.default_rng(7).random((len(places), count, 12))
    return sampler.sample(places, new, uniforms, stops=[1], temperature=1.0)


def farthest(model: PreTrainedModel, said: list[list[int]], found: list[list[Sampled]]) -> float:
    """The largest difference of a sampled token's log-probability from that in one forward pass over the whole dialogue."""
    worst = 0.0
    for before, candidates in zip(said, found, strict=True):
        for sampled in candidates:
            with torch.no_grad():
                logp = torch.log_softmax(model(torch.tensor([before + sampled.ids])).logits[0].float(), -1)
            expected = [float(logp[len(before) + i - 1, token]) for i, token in enumerate(sampled.ids)]
            worst = max(worst, float(np.abs(np.subtract(expected, sampled.logprobs)).max()))
    return worst


@pytest.mark.parametrize("name", RECURRENT)
def test_a_second_turn_needs_the_states_of_the_first(name: str) -> None:
    """Else the comparison with one forward pass would show nothing."""
    model, rng = random_model(name), np.random.default_rng(0)
    sampler = Sampler(model, 2)
    first, second = ids(rng, 9, 14), ids(rng, 6, 3)
    messages(sampler, [0, 1], first)
    with torch.inference_mode():
        sampler.cache.states.clear(torch.arange(2))
    said = [a + b for a, b in zip(first, second, strict=True)]
    assert farthest(model, said, messages(sampler, [0, 1], second)) > 1e-3


@pytest.mark.parametrize("name", ["qwen3.5", "mamba", "jamba", "lfm2, short convolutions"])
def test_dialogues_begin_and_go_on_together(name: str) -> None:
    """Some of the places, in another order, with several candidates each, some of them reused by new dialogues."""
    model, rng = random_model(name), np.random.default_rng(1)
    sampler = Sampler(model, 5)
    said = dict(enumerate(ids(rng, 8, 21, 5, 13, 30)))
    assert farthest(model, [*said.values()], messages(sampler, range(5), [*said.values()])) < 1e-4
    for reused in (1, 3):
        sampler.release(reused)
        said[reused] = []
    for places, lengths in (([4, 1, 0], (3, 17, 1)), ([0, 1, 2, 3, 4], (4, 2, 9, 11, 1)), ([2], (5,))):
        new = ids(rng, *lengths)
        for place, more in zip(places, new, strict=True):
            said[place] = said[place] + more
        found = messages(sampler, places, new, count=2)
        assert farthest(model, [said[place] for place in places], found) < 1e-4


def test_what_is_taken_back_is_read_anew() -> None:
    model, rng = random_model("qwen3.5"), np.random.default_rng(2)
    sampler = Sampler(model, 1)
    (first,), (second,) = ids(rng, 9), ids(rng, 4)
    messages(sampler, [0], [first + second])
    sampler.keep(0, 13)
    assert sampler.held[0] == 13
    sampler.keep(0, 9)
    assert sampler.held[0] == 0
    assert farthest(model, [first], messages(sampler, [0], [first])) < 1e-4


def test_models_without_positions_have_a_length_all_the_same() -> None:
    assert context_length(random_model("mamba")) == UNLIMITED
    assert context_length(random_model("qwen3.5")) == 256


@pytest.mark.parametrize(("name", "most"), [("qwen3.5", 3), ("jamba", 22)])
def test_rows_are_read_together_as_far_as_they_go(name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three lengths take three passes, or as many as the longest goes on for where layers would begin anew."""
    passes: list[int] = []
    forward = Sampler._forward

    def counted(self: Sampler, work: RaggedCache, tokens: torch.Tensor, *arguments: object, **more: object) -> object:
        passes.append(tokens.numel())
        return forward(self, work, tokens, *arguments, **more)  # type: ignore[arg-type]

    sampler, rng = Sampler(random_model(name), 4), np.random.default_rng(3)
    monkeypatch.setattr(Sampler, "_forward", counted)
    new = ids(rng, 9, 30, 11, 30)
    uniforms = np.full((4, 1, 1), 0.5)
    sampler.sample(range(4), new, uniforms, stops=[], temperature=1.0)
    assert len(passes) == most
    assert sum(passes) == 9 + 30 + 11 + 30, "no padding"


def test_attention_by_distance_is_refused() -> None:
    """As Inkling has it, among layers with states: its places come from the columns of a cache."""
    q, k, mask = torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 3, 4), torch.ones(1, 1, 1, 3, dtype=torch.bool)
    with pytest.raises(ModelError, match="by the distance"):
        decoding_attention(torch.nn.Module(), q, k, k, mask, position_bias=torch.zeros(1, 2, 1, 3))


def test_what_each_model_is_told_of() -> None:
    jamba, mamba, llama = (layers_of(random_model(name)) for name in ("jamba", "mamba", "llama"))
    assert jamba.attention == {"full_attention": None}
    assert (jamba.recurrent, jamba.reads_on) == (True, False)
    assert (mamba.attention, mamba.cache) == ({}, "cache_params")
    assert not llama.recurrent


def test_unknown_layers_are_refused() -> None:
    model = copy.deepcopy(random_model("qwen3"))
    model.config.layer_types = ["compressed_sparse_attention", "full_attention"]
    with pytest.raises(ModelError, match="compressed_sparse_attention"):
        Sampler(model, 1)


def test_older_versions_of_transformers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their layers read states that a cache of ours does not have, and some find none without a word."""
    monkeypatch.delattr(Cache, "get_conv_state")
    with pytest.raises(ModelError, match=r"transformers>=5\.23"):
        Sampler(random_model("qwen3.5"), 1)


@pytest.mark.parametrize(
    "config",
    [
        RecurrentGemmaConfig(**SHAPE, head_dim=8, lru_width=32, attention_window_size=16),
        xLSTMConfig(vocab_size=200, hidden_size=32, num_hidden_layers=2, num_heads=4),
        RwkvConfig(vocab_size=200, hidden_size=32, num_hidden_layers=2, context_length=256),
        MiniMaxConfig(**SHAPE, head_dim=8, num_local_experts=2, layer_types=["linear_attention", "full_attention"]),
    ],
    ids=lambda config: config.model_type,
)
def test_states_that_a_cache_does_not_see_are_refused(config: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGS, "own", config)
    with pytest.raises(ModelError, match="of its own"):
        Sampler(random_model("own"), 1)
