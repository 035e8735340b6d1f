"""The sampler on small random models of real architectures: what it says has the likelihood that one forward pass gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLConfig

from architectures import CONFIGS, random_model
from understudy.errors import ModelError
from understudy.models.attention import TRAINING_ATTENTION, decoding_attention, use_training_attention
from understudy.models.sampler import Sampler
from understudy.models.text_only import holds_text_model, text_only


@pytest.mark.parametrize("name", CONFIGS)
def test_two_turns_have_the_likelihood_of_one_forward_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.models.sampler.sampling_dtype", lambda: torch.float32)
    model = random_model(name)
    sampler = Sampler(model, 4)
    rng = np.random.default_rng(0)

    def some(*lengths: int) -> list[list[int]]:
        return [rng.integers(3, 200, size=n).tolist() for n in lengths]

    # Dialogues of different lengths, most of them longer than the window.
    first, answer = some(5, 30, 12, 50), some(7, 3, 9, 4)
    places = [0, 1, 2, 3]
    said = [m[0].ids for m in sampler.sample(places, first, rng.random((4, 1, 20)), stops=[1], temperature=1.0)]
    heard = [a + b for a, b in zip(said, answer, strict=True)]
    # Read with its likelihood, but for the last token: `sample` is to be given one.
    scored = [len(b) - 1 for b in answer]
    told = sampler.read(places, [new[:-1] for new in heard], scored)
    found = sampler.sample(places, [new[-1:] for new in heard], rng.random((4, 1, 20)), stops=[1], temperature=1.0)
    for before, new, count, likely, (sampled,) in zip(first, heard, scored, told, found, strict=True):
        ids = torch.tensor([before + new + sampled.ids])
        with torch.no_grad():
            logp = torch.log_softmax(model(ids).logits[0].float(), -1)
        start = len(before) + len(new)
        expected = [float(logp[start + i - 1, token]) for i, token in enumerate(sampled.ids)]
        assert sampled.logprobs == pytest.approx(expected, abs=1e-4)
        read = new[-1 - count : -1]
        expected = [float(logp[start - count - 2 + i, token]) for i, token in enumerate(read)]
        assert -likely[0] == pytest.approx(expected, abs=1e-4)
        places_before = logp[start - count - 2 : start - 2]
        entropy = -(places_before.exp() * places_before).sum(-1)
        assert likely[1] == pytest.approx(entropy.numpy(), abs=1e-4)
        spread = (places_before.exp() * (-places_before - entropy[:, None]) ** 2).sum(-1)
        assert likely[2] == pytest.approx(spread.numpy(), abs=1e-3)


@pytest.mark.parametrize("name", ["llama", "qwen3.5", "mamba"])
def test_what_is_read_does_not_depend_on_how_much_is_read_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.models.sampler.sampling_dtype", lambda: torch.float32)
    model, rng = random_model(name), np.random.default_rng(0)
    new = [rng.integers(3, 200, size=n).tolist() for n in (9, 30, 12, 31)]
    whole = Sampler(model, 4).read(range(4), new, [3, 20, 5, 30])
    places = 40
    monkeypatch.setattr("understudy.models.sampler._MOST_LOGITS", places * model.config.vocab_size)
    monkeypatch.setattr("understudy.models.likelihood._MOST_LOGITS", 4 * model.config.vocab_size)
    sampler = Sampler(model, 4)
    held: list[int] = []
    forward = sampler._forward

    def noted(*arguments: Any, **more: Any) -> torch.Tensor:
        logits = forward(*arguments, **more)
        held.append(logits.shape[0] * logits.shape[1])
        return logits

    monkeypatch.setattr(sampler, "_forward", noted)
    for expected, found in zip(whole, sampler.read(range(4), new, [3, 20, 5, 30]), strict=True):
        assert found == pytest.approx(expected, abs=1e-4)
    assert max(held) <= places
    assert (sampler.held == [9, 30, 12, 31]).all()
    with pytest.raises(ValueError, match="first new token"):
        sampler.read([0], [[5, 6]], [2])


def test_attention_that_cannot_be_replaced_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of models with code of their own often is; transformers warns, and leaves it as it was."""
    model = random_model("llama")
    monkeypatch.setattr(type(model), "_can_set_attn_implementation", classmethod(lambda cls: False))
    with pytest.raises(ModelError, match="attention of its own"):
        Sampler(model, 4)


def test_attention_in_training_is_not_left_without_its_sinks() -> None:
    model = random_model("gpt-oss, sinks")
    model.set_attn_implementation(TRAINING_ATTENTION)
    with pytest.raises(ModelError, match="sinks"), torch.no_grad():
        model(torch.arange(3, 9)[None])


def test_a_language_model_taken_out_of_one_with_images_says_what_that_says() -> None:
    torch.manual_seed(0)
    wrapper = AutoModelForImageTextToText.from_config(CONFIGS["gemma3 with images, as on the hub"]).float().eval()
    ids = torch.randint(3, 200, (2, 40))
    with torch.no_grad():
        expected = wrapper(input_ids=ids).logits
        found = text_only(wrapper)
        assert torch.equal(found(input_ids=ids).logits, expected)
    assert found.config.model_type == "gemma3_text"
    assert found.get_output_embeddings().weight is found.get_input_embeddings().weight
    assert not [name for name, _ in found.named_parameters() if "vision" in name or "projector" in name]


def test_a_language_model_that_transformers_knows_inside_its_wrapper_alone_is_refused() -> None:
    with pytest.raises(ModelError, match="qwen2_5_vl_text"):
        holds_text_model(Qwen2_5_VLConfig())


def test_layers_that_attend_within_chunks_keep_their_own_attention_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.models.attention.fast_bf16", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name, attention in (("llama", TRAINING_ATTENTION), ("llama4, chunks", "sdpa"), ("olmo3, window", "sdpa")):
        model = random_model(name)
        use_training_attention(model)
        assert model.config._attn_implementation == attention, name


def test_queries_that_are_scaled_by_their_place_are_refused_where_they_would_be() -> None:
    model = random_model("llama4, chunks")
    model.config.floor_scale = 512
    with pytest.raises(ModelError, match="beyond 512 tokens"):
        Sampler(model, 4)
    model.config.attn_temperature_tuning = False
    Sampler(model, 4)


def test_scores_are_the_same_taken_a_few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(5, heads, 3, 8) for heads in (4, 2, 2))
    given = (q, k, v, torch.ones(5, 1, 3, 3, dtype=torch.bool).tril())
    for more in ({"softcap": 5.0}, {"s_aux": torch.tensor([0.0, 1.0, 2.0, 3.0])}):
        whole, _ = decoding_attention(torch.nn.Module(), *given, **more)
        with monkeypatch.context() as small:
            small.setattr("understudy.models.attention._MOST_SCORES", 2 * 4 * 3 * 3)
            parts, _ = decoding_attention(torch.nn.Module(), *given, **more)
        torch.testing.assert_close(parts, whole)
