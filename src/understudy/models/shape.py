"""What a model's cost depends on, counted from its configuration alone: no weights are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from understudy.errors import ModelError
from understudy.models.layers import layers_of

BF16, FP32 = 2, 4
"""Bytes of a number."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model's cost depends on.

    Attributes:
        parameters: all of them.
        multiplied: those in matrix products, the output layer included: two operations per token each.
        layers, heads, head_dim: of the attention.
        kv_heads: heads whose keys and values are kept.
        hidden: width of the residual stream.
        vocabulary: tokens.
        adapted: input plus output width over all adapted matrices: parameters of an adapter (LoRA) of rank 1.
        kept_bytes: of what all layers keep of a token for their backward pass, with weights in fp32, products in bf16, and
            attention that keeps no scores.
    """

    parameters: int
    multiplied: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    vocabulary: int
    adapted: int
    kept_bytes: int

    @property
    def cache_bytes(self) -> int:
        """Of the keys and values of one token, in bf16."""
        return 2 * self.layers * self.kv_heads * self.head_dim * BF16

    @property
    def weight_bytes(self) -> int:
        """Of the weights in bf16."""
        return self.parameters * BF16

    def product_operations(self, tokens: float) -> float:
        """Additions and multiplications in products with the weights, to read `tokens` tokens."""
        return 2 * self.multiplied * tokens

    def attention_operations(self, tokens: float, before: float = 0.0) -> float:
        """Those in products of tokens with each other, to read `tokens` tokens at once after `before` others.

        Every token is multiplied with every token up to the last, as plain kernels do; those that skip what is masked do less.
        """
        return 4 * self.layers * self.heads * self.head_dim * tokens * (before + tokens)

    def forward_operations(self, tokens: float, before: float = 0.0) -> float:
        """All of them."""
        return self.product_operations(tokens) + self.attention_operations(tokens, before)


def shape_of(name_or_folder: str | Path) -> Shape:
    """The shape of a model by its configuration; no weights are needed, and none are loaded.

    Raises:
        ModelError: if there is no configuration of a causal language model.
    """
    try:
        config = AutoConfig.from_pretrained(str(name_or_folder))
        return shape_from(config.get_text_config())
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(
            f"has no configuration of a causal language model: {error}",
            where=str(name_or_folder),
            fix="give a folder with a config.json, or a name on the Hugging Face hub",
        ) from error


def shape_from(config: PreTrainedConfig) -> Shape:
    """The shape of a model: its modules are made without memory, and counted.

    Raises:
        ModelError: if much of it is neither a linear layer nor an embedding (a mixture of experts), or some layers are
            recurrent.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    if layers_of(model).recurrent:
        raise ModelError(
            "has recurrent layers, whose states and arithmetic are in no formula yet",
            where=str(config.name_or_path or config.model_type),
            fix="measure a run of it, or estimate with a model of attention alone",
        )
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    known = [*linear, *(module for module in model.modules() if isinstance(module, torch.nn.Embedding))]
    parameters = sum(p.numel() for p in model.parameters())
    counted = {id(p): p.numel() for module in known for p in module.parameters()}
    if sum(counted.values()) < 0.95 * parameters:
        raise ModelError(
            f"has {1 - sum(counted.values()) / parameters:.0%} of its parameters in other than linear layers and embeddings",
            where=str(config.name_or_path or config.model_type),
            fix="no formula for mixtures of experts is there yet",
        )
    output = model.get_output_embeddings()
    inside = [module for module in linear if module is not output]
    return Shape(
        parameters=parameters,
        multiplied=sum(module.weight.numel() for module in linear),
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=_kv_heads(config),
        head_dim=_head_size(config),
        hidden=config.hidden_size,
        vocabulary=config.vocab_size,
        adapted=sum(module.in_features + module.out_features for module in inside),
        kept_bytes=_kept_bytes(model, config, inside),
    )


def _kept_bytes(model: PreTrainedModel, config: PreTrainedConfig, linear: list[torch.nn.Linear]) -> int:
    """Of one token in all layers: inputs of the products in bf16, what normalisation multiplies in fp32, the three factors of
    gated layers, and queries, keys, values and output of the attention."""
    heads, size = config.num_attention_heads, _head_size(config)
    inputs = sum(BF16 * module.in_features for module in linear)
    normalised: int = 0
    for name, module in model.named_modules():
        if type(module).__name__.endswith("Norm") and ".layers." in name:
            width = module.weight.numel()
            if width == size:  # of each head
                width *= heads if name.endswith("q_norm") else _kv_heads(config)
            normalised += 2 * FP32 * width
    gated: int = 3 * BF16 * (getattr(config, "intermediate_size", None) or 4 * config.hidden_size)
    attention: int = 2 * BF16 * size * (heads + _kv_heads(config))
    layers: int = config.num_hidden_layers
    return inputs + normalised + layers * (gated + attention)


def _kv_heads(config: PreTrainedConfig) -> int:
    """Heads whose keys and values are kept: fewer than query heads where these are grouped."""
    found: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return found


def _head_size(config: PreTrainedConfig) -> int:
    """Numbers in the key of one head."""
    found: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return found
