"""The formulas against what is there and what is done: tensors, torch's own count of operations, tokens that are fed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MixtralConfig, Qwen2Config
from transformers.models.gemma3.configuration_gemma3 import Gemma3TextConfig
from typer.testing import CliRunner

from architectures import RECURRENT
from understudy.cli.app import app
from understudy.errors import ConfigError, ModelError
from understudy.models.adapters import add_adapter
from understudy.models.chat_model import ChatModel
from understudy.models.cost import DEVICES, Device, Side, cost_of
from understudy.models.sampler import Sampler
from understudy.models.shape import Shape, shape_from, shape_of
from understudy.models.speaker import ModelSpeaker
from understudy.speaker import Request
from understudy.types import Message

SMALL: dict[str, Any] = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 88, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip


@pytest.mark.parametrize("config", [LlamaConfig(**SMALL), Qwen2Config(**SMALL, tie_word_embeddings=True)])
def test_a_shape_is_that_of_the_model(config: Any) -> None:
    shape = shape_from(config)
    model = AutoModelForCausalLM.from_config(config).eval()
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    sampler = Sampler(model, 2)
    sampler.sample([0], [list(range(31))], np.full((1, 1, 1), 0.5), stops=[0], temperature=1.0)
    kept = sampler.cache
    numbers = sum(t.numel() for t in (*kept.keys, *kept.values)) / kept.rows / kept.width
    assert shape.cache_bytes == 2 * numbers, "two bytes for each number"


@pytest.mark.parametrize("tokens", [10, 200])
def test_operations_are_those_that_torch_counts(tokens: int) -> None:
    config = LlamaConfig(**SMALL, attn_implementation="eager")
    model, shape = AutoModelForCausalLM.from_config(config), shape_from(config)
    ids = torch.ones(1, tokens, dtype=torch.long)
    side = Side(shape, prompt=0, written=tokens // 2, heard=tokens // 2, turns=1)
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        model(input_ids=ids, use_cache=False)
    assert shape.forward_operations(tokens) == pytest.approx(forward.get_total_flops(), rel=0.01)
    with FlopCounterMode(display=False) as step:
        model(input_ids=ids, use_cache=False).logits.sum().backward()
    assert side.training_operations() == pytest.approx(step.get_total_flops(), rel=0.01)
    add_adapter(model, 1, token=5, revision=None, seed=0)
    model.enable_input_require_grads()  # as where the embedding of a token is trained
    with FlopCounterMode(display=False) as adapted:
        model(input_ids=ids, use_cache=False).logits.sum().backward()
    assert side.training_operations(lora_rank=1) == pytest.approx(adapted.get_total_flops(), rel=0.03)


class Saved:
    """Bytes that the backward pass keeps, each tensor once, weights and their bf16 copies left out."""

    def __init__(self, model: torch.nn.Module, tokens: int) -> None:
        self.seen: dict[int, int] = {}
        self.weights = {p.shape for p in model.parameters()} | {p.t().shape for p in model.parameters() if p.dim() == 2}

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.shape not in self.weights:
            storage = tensor.untyped_storage()
            self.seen[storage.data_ptr()] = storage.nbytes()
        return tensor


@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(**SMALL),
        Qwen2Config(**{**SMALL, "intermediate_size": 170}),
        Gemma3TextConfig(**SMALL, head_dim=16, sliding_window=64),
    ],
)
def test_activations_are_about_those_that_are_kept(config: Any) -> None:
    """Within a fifth: how the parts of a kernel share what they keep differs from one to the next."""
    config._attn_implementation = "sdpa"
    model, shape, tokens = AutoModelForCausalLM.from_config(config), shape_from(config), 120
    saved = Saved(model, tokens)
    with torch.autograd.graph.saved_tensors_hooks(saved, lambda t: t), torch.autocast("cpu", torch.bfloat16):
        logits = model(input_ids=torch.ones(1, tokens, dtype=torch.long), use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.float()[0], torch.ones(tokens, dtype=torch.long))
    found = sum(saved.seen.values()) + logits.numel() * 2
    side = Side(shape, prompt=0, written=tokens // 2, heard=tokens // 2, turns=1)
    assert loss > 0
    assert side.activation_bytes() == pytest.approx(found, rel=0.2)
    assert side.activation_bytes(checkpointing=True) < side.activation_bytes()


def test_what_has_no_formula_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="other than linear layers"):
        shape_from(MixtralConfig(**SMALL, num_local_experts=4))
    with pytest.raises(ModelError, match="recurrent layers"):
        shape_from(RECURRENT["lfm2, short convolutions"])
    # Its layers are of another class than Linear as well.
    GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=300).save_pretrained(tmp_path)
    with pytest.raises(ModelError):
        shape_of(tmp_path)


def test_an_adapters_parameters_are_those_of_peft() -> None:
    model = AutoModelForCausalLM.from_config(LlamaConfig(**SMALL))
    shape = shape_from(model.config)
    add_adapter(model, 3, token=5, revision=None, seed=0)
    assert shape.adapted * 3 == sum(p.numel() for name, p in model.named_parameters() if "lora" in name)


class Counting(Sampler):
    """Counts the tokens that it is fed."""

    fed = 0

    def sample(self, places: Any, new_ids: Sequence[Sequence[int]], *args: Any, **kwargs: Any) -> Any:
        Counting.fed += sum(map(len, new_ids))
        return super().sample(places, new_ids, *args, **kwargs)


def test_tokens_read_are_those_that_are_fed(tiny_model: ChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four turns; all that is fed in the end is the dialogue as the last turn begins, its own messages included."""
    monkeypatch.setattr("understudy.models.speaker.Sampler", Counting)
    monkeypatch.setattr(Counting, "fed", 0)
    speaker = ModelSpeaker(tiny_model, "agent", width=1, max_message_tokens=5)
    said: tuple[Message, ...] = ()
    lengths, own = [], 0
    for _ in range(4):
        said += (Message("user", "i want red please"),)
        (answer,) = speaker.reply([Request(0, "agent", "you sell paint", said, seed=len(said))])
        assert isinstance(answer, Message)
        said += (answer,)
        record = speaker._views[0].record()
        lengths.append(len(record.ids))
    record = speaker.finish(0)
    assert record is not None
    own = sum(stop - start for start, stop in record.spans[:-1])
    heard = lengths[1] - lengths[0] - (record.spans[1][1] - record.spans[1][0])
    prompt = record.spans[0][0] - heard
    side = Side(shape_from(tiny_model.model.config), prompt=prompt, written=0, heard=heard, turns=4)
    assert Counting.fed - own == pytest.approx(side.read, abs=4)  # ends that were cut by the limit are added
    assert side.read_again > 2 * side.read


def test_a_cost_by_hand() -> None:
    shape = Shape(
        parameters=1000, multiplied=800, layers=2, heads=2, kv_heads=1, head_dim=4, hidden=8, vocabulary=10, adapted=50,
        kept_bytes=200,
    )  # fmt: skip
    side = Side(shape, prompt=10, written=5, heard=5, turns=2)
    assert (side.length, side.read, side.read_again) == (30, 20, 40)
    restated = replace(side, restated=True)
    assert (restated.length, restated.read) == (40, 30)
    assert shape.cache_bytes == 2 * 2 * 1 * 4 * 2
    # 2 * 800 per token, and 4 * 2 * 2 * 4 for each token attended to.
    assert shape.forward_operations(3, before=7) == 2 * 800 * 3 + 64 * 3 * 10
    device = Device("toy", operations=1e6, bandwidth=1e6, memory=12_000)
    found = cost_of(side, side, device, dialogues=100, compute_share=1.0, bandwidth_share=1.0, lora_rank=2)
    # 10,800 bytes, less 2 * 2,000 for the weights, hold 960 for each side of a dialogue and as much for a copy of one.
    assert found.at_once == 2
    step = max((2000 + 2 * 480) / 1e6, 2 * (1600 + 64 * 16) / 1e6)
    seconds = 2 * (10 * step + 2 * 20 * (1600 + 64 * 16) / 1e6) * 100 / 2
    assert found.sampling_hours == pytest.approx(seconds / 3600)
    adapted = 2 * 1600 * 30 + 3 * 64 * 900 + 6 * 2 * 50 * 30 + 2 * 8 * 10 * 30
    assert found.training_operations == adapted
    assert found.training_hours == pytest.approx(100 * adapted / 1e6 / 3600)
    assert found.activation_bytes == 30 * (200 + 10 * 10)
    again = cost_of(side, side, device, dialogues=100, compute_share=1.0, bandwidth_share=1.0, checkpointing=True)
    assert again.training_hours == pytest.approx(100 * 4 * (1600 * 30 + 64 * 900) / 1e6 / 3600)
    assert again.activation_bytes == 30 * (100 + 2 * 8 * 4 + 10 * 10)
    # Frozen weights in fp32, their copy in bf16 that samples, and the adapter with gradient and moments and such a copy.
    assert found.training_bytes == 4000 + 2000 + 2 * 50 * (16 + 2)
    one = cost_of(side, side, device, lora_rank=2, frozen_bf16=True, one_model=True)
    assert one.training_bytes == 2000 + 2 * 50 * (16 + 2), "what samples shares what is in bf16 already"
    assert one.at_once == 3, "10,800 bytes less 2,000, once"
    assert cost_of(side, side, device).training_bytes == 16_000 + 2000
    with pytest.raises(ModelError, match="both models and one dialogue take"):
        cost_of(side, side, Device("none", 1e6, 1e6, 4000))


def test_the_papers_models_have_their_published_sizes() -> None:
    folder = Path(__file__).parents[2] / "examples" / "paper" / "shapes"
    assert shape_of(folder / "gemma-3-4b").parameters == pytest.approx(3.88e9, rel=0.005)  # without the vision part
    assert shape_of(folder / "qwen2.5-7b").parameters == pytest.approx(7.62e9, rel=0.002)


def test_the_command_prints_a_table_and_names_what_is_wrong(tmp_path: Path) -> None:
    LlamaConfig(**SMALL).save_pretrained(tmp_path)
    arguments = ["cost", "--agent", str(tmp_path), "--user", str(tmp_path)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "GPU-hours" in result.output
    for bad, error in (
        (["--gpu", "abacus"], ConfigError),
        (["--agent", str(tmp_path / "none")], ModelError),
        (["--turns", "100000000"], ModelError),
    ):
        with pytest.raises(error):
            CliRunner().invoke(app, [*arguments, *bad], catch_exceptions=False)
    assert set(DEVICES) == {"a100", "h100", "h200"}
