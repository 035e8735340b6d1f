"""Gradient checkpointing: layers are computed again in the backward pass, so that their activations need not be kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    modes = [layer.training for layer in layers]
    model.activation_checkpointing_enable()
    # Transformers does so only in layers that are being trained, which the modules inside them need not be: dropout stays
    # as it is.
    for layer in layers:
        layer.training = True
    try:
        yield
    finally:
        for layer, mode in zip(layers, modes, strict=True):
            layer.training = mode
        model.activation_checkpointing_disable()
