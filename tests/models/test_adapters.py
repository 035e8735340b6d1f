"""An adapter's model as other programmes read it: as one sum, and as peft's own wrapper holds it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, PreTrainedModel

from architectures import CONFIGS, random_model
from understudy.errors import ModelError
from understudy.models.adapters import (
    MATRICES,
    add_adapter,
    attach_adapter,
    save_adapter,
    save_apart,
    save_merged,
    take_matrices,
)
from understudy.models.text_only import holds_text_model

SHARED = ["zamba", "zamba2"]
"""Blocks of attention that stand in several places."""
NAMES = [name for name in CONFIGS if not holds_text_model(CONFIGS[name]) and name not in SHARED]


def adapted(name: str) -> PreTrainedModel:
    """With matrices, a trained row and buffers that say much."""
    model = random_model(name)
    kept = model.state_dict().keys()
    add_adapter(model, 3, token=7, revision=None, seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_B" in key or "trainable_tokens_delta" in key:
                parameter.normal_(0, 0.5, generator=generator)
        for key, buffer in model.named_buffers():
            if key in kept:
                buffer.add_(torch.rand(buffer.shape, generator=generator))
    return model


def says(model: torch.nn.Module) -> torch.Tensor:
    ids = torch.tensor([[3, 7, 11, 40, 7, 90]])
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=ids).logits
    return logits


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_says_what_the_model_says(name: str, tmp_path: Path) -> None:
    model = adapted(name)
    save_merged(model, tmp_path / "sum")
    save_apart(model, tmp_path / "base", tmp_path / "adapter")
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    assert not torch.allclose(says(base), says(model), atol=1e-2), "an adapter that changes nothing shows nothing"
    wrapped = PeftModel.from_pretrained(base, str(tmp_path / "adapter"), is_trainable=True)
    for found in (AutoModelForCausalLM.from_pretrained(tmp_path / "sum"), wrapped):
        torch.testing.assert_close(says(found), says(model), atol=1e-4, rtol=1e-3)
    moved = {key: torch.randn_like(value) for key, value in wrapped.state_dict().items() if MATRICES in key}
    take_matrices(model, moved)
    wrapped.load_state_dict(moved, strict=False)
    torch.testing.assert_close(says(wrapped), says(model), atol=1e-4, rtol=1e-3)


def test_matrices_of_another_adapter_are_refused(tmp_path: Path) -> None:
    model = adapted("llama")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(KeyError):
        take_matrices(model, {})
    of_rank_1 = {f"base_model.model.{key}": value[:1] for key, value in before.items() if MATRICES in key}
    with pytest.raises(ValueError, match="has the shape"):
        take_matrices(model, of_rank_1)


@pytest.mark.parametrize("name", SHARED)
def test_layers_that_share_weights_have_no_sum_with_their_adapters(name: str, tmp_path: Path) -> None:
    model = adapted(name)
    with pytest.raises(ModelError, match="shares its weights"):
        save_merged(model, tmp_path)
    with pytest.raises(ModelError, match="shares its weights"):
        save_apart(model, tmp_path, tmp_path)


@pytest.mark.parametrize("name", ["mixtral", "qwen3.5 with experts", "mamba", "zamba2"])
def test_a_saved_adapter_is_read_as_it_was(name: str, tmp_path: Path) -> None:
    model, fresh = adapted(name), random_model(name)
    save_adapter(model, tmp_path)
    attach_adapter(fresh, tmp_path)
    buffers = {key.replace(".base_layer", ""): value for key, value in model.named_buffers()}
    for key, buffer in fresh.named_buffers():
        buffer.copy_(buffers[key.replace(".base_layer", "")])
    assert torch.equal(says(fresh), says(model))
