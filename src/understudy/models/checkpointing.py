"""Gradient checkpointing: layers are computed again in the backward pass, so that their activations need not be kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from understudy.errors import ModelError


@contextmanager
def gradient_checkpointing(model: PreTrainedModel, *, enabled: bool) -> Iterator[None]:
    """Within the block, keep each layer's input alone for the backward pass, and compute the rest again (Chen et al. 2016,
    arXiv 1604.06174). Gradients are the same. Nothing happens where not `enabled`.

    Raises:
        ModelError: if the architecture does not have it.
    """
    if not enabled:
        yield
        return
    if not model.supports_gradient_checkpointing:
        raise ModelError(
            "has no gradient checkpointing", where=str(model.name_or_path), fix="leave gradient_checkpointing out"
        )
    dropout = {key: value for key, value in model.config.to_dict().items() if _is_dropout(key, value)}
    if dropout and not model.training:
        raise ModelError(
            f"has {', '.join(f'{key} {value}' for key, value in dropout.items())}, which must stay off here, and which "
            "gradient checkpointing may turn on",
            where=str(model.name_or_path),
            fix="leave gradient_checkpointing out, or set the dropout to 0 in the model's config.json",
        )
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    _switch(model, "enable")
    # Transformers does so only in layers that are being trained, which the modules inside them need not be.
    for layer in layers:
        layer.training = True
    try:
        yield
    finally:
        for layer in layers:
            layer.training = model.training
        _switch(model, "disable")


def _switch(model: PreTrainedModel, to: Literal["enable", "disable"]) -> None:
    # Releases of transformers that verl asks for have it under its older name alone, which newer ones warn of.
    renamed = getattr(model, f"activation_checkpointing_{to}", None)
    (renamed or getattr(model, f"gradient_checkpointing_{to}"))()


def _is_dropout(key: str, value: object) -> bool:
    return ("dropout" in key or "pdrop" in key) and isinstance(value, float) and value > 0
