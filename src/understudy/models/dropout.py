"""Dropout for dense decoders, which come without today."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from understudy.errors import ModelError

_BRANCHES = ("self_attn.o_proj", "mlp.down_proj")
"""Last layers of the two branches of a block, as Llama, Gemma, Qwen, Mistral and Phi name them; Gemma has a norm after each."""


@contextmanager
def residual_dropout(model: PreTrainedModel, rate: float) -> Iterator[None]:
    """Within the block, and while the model is training, zero a share of the token embeddings and of what each branch adds
    to the residual stream (Vaswani et al. 2017, arXiv 1706.03762, section 5.4), and scale up the rest.

    Args:
        rate: the share, 0 (nothing happens) to below 1.

    Raises:
        ModelError: if the architecture's branches are not known.
    """
    if not rate:
        yield
        return
    ends = [[module for name, module in model.named_modules() if name.endswith(end)] for end in _BRANCHES]
    if not ends[0] or len(ends[0]) != len(ends[1]):
        raise ModelError(
            f"has blocks without {' and '.join(_BRANCHES)}, whose outputs dropout is for",
            where=str(model.name_or_path),
            fix="leave dropout out, or set the model's own in its config.json",
        )

    def drop(module: torch.nn.Module, given: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(output, rate, model.training)

    with ExitStack() as hooks:
        for module in (model.get_input_embeddings(), *ends[0], *ends[1]):
            hooks.callback(module.register_forward_hook(drop).remove)
        yield
