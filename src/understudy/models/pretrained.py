"""A causal language model by name or folder: with all of its weights, and of text alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, PreTrainedModel

from understudy.config import Weights
from understudy.errors import ModelError
from understudy.models.text_only import holds_text_model, text_only

_DTYPES: dict[Weights, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def load_causal(where: str, *, revision: str | None, weights: Weights, remote_code: bool) -> PreTrainedModel:
    """Load a model, from safetensors alone; of an image-text model, the language model is kept (see `text_only`).

    Args:
        where: a folder, or a name on the Hugging Face hub.
        revision: commit, tag or branch of a model by name.
        weights: how they are held.
        remote_code: whether code that comes with the model is run, where transformers has none for it.

    Raises:
        ModelError: if some of the model's weights are not there, or it wraps a language model that cannot be taken out.
        OSError, ValueError, ImportError, SafetensorError: of transformers, if nothing can be loaded.
    """
    # False and not None, which would ask on the terminal.
    source = {"revision": revision or "main", "trust_remote_code": remote_code}
    wraps = holds_text_model(AutoConfig.from_pretrained(where, **source))
    auto = AutoModelForImageTextToText if wraps else AutoModelForCausalLM
    loaded, found = auto.from_pretrained(
        where, dtype=_DTYPES[weights], use_safetensors=True, output_loading_info=True, **source
    )
    model = text_only(loaded) if wraps else loaded
    # transformers draws what is missing at random, with no more than a warning. What was left out may be missing.
    kept = {id(tensor) for _, tensor in _tensors(model)}
    if missing := sorted(
        set(found["missing_keys"]) & {name for name, tensor in _tensors(loaded) if id(tensor) in kept}
    ):
        raise ModelError(
            f"lacks {len(missing)} of the weights of a {type(model).__name__}, which would begin at random: "
            f"{', '.join(missing[:3])}{', ..' if len(missing) > 3 else ''}",
            where=where,
            fix="give a whole model, whose config.json is that of its weights",
        )
    return model


def _tensors(model: PreTrainedModel) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters and buffers by all of their names."""
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)
