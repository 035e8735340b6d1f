"""What dialogues between two models cost, by formula: tokens, arithmetic, memory and the hours of a device.

Whatever is counted here is checked on tiny models: parameters and cache against the tensors, arithmetic against torch's
counter, tokens against those that a conversation feeds. Hours follow from two shares of what a device could do at best,
which are assumptions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

from understudy.errors import ModelError

_BF16, _FP32 = 2, 4
_TRAINED_BYTES = 3 * _FP32 + _FP32
"""Of each trained weight: AdamW's two moments, the gradient, and the weight itself in fp32."""
_LAYER_BYTES = 34
"""Activations that a layer keeps for its backward pass: bytes per token and unit of width (Korthikanti et al. 2022, arXiv
2205.05198, equation 2, without the attention scores, which fused kernels do not keep)."""


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

    @property
    def cache_bytes(self) -> int:
        """Of the keys and values of one token, in bf16."""
        return 2 * self.layers * self.kv_heads * self.head_dim * _BF16

    @property
    def weight_bytes(self) -> int:
        """Of the weights in bf16."""
        return self.parameters * _BF16

    def forward_operations(self, tokens: float, before: float = 0.0) -> float:
        """Additions and multiplications to read `tokens` tokens at once after `before` others.

        Every token is multiplied with every token up to the last, as plain kernels do; those that skip what is masked do less.
        """
        attended = tokens * (before + tokens)
        return 2 * self.multiplied * tokens + 4 * self.layers * self.heads * self.head_dim * attended


@dataclass(frozen=True, slots=True)
class Side:
    """One side's model, and what it reads and writes in a dialogue.

    Attributes:
        prompt: tokens of its prompt.
        written: tokens of one of its messages.
        heard: tokens of one message of the other side.
        turns: messages that it writes.
        restated: whether the prompt stands before each message that it hears (`prompt: each turn`), not once.
    """

    shape: Shape
    prompt: int
    written: int
    heard: int
    turns: int
    restated: bool = False

    @property
    def length(self) -> int:
        """Tokens at the dialogue's end."""
        return self.read + self.turns * self.written

    @property
    def read(self) -> int:
        """Tokens fed and not written by itself, with keys and values kept over the turns: each once."""
        return self.prompt * (self.turns if self.restated else 1) + self.turns * self.heard

    @property
    def read_again(self) -> int:
        """The same where the whole history is sent at each turn, the prompt once."""
        per_turn = self.heard + self.written
        return sum(self.prompt + self.heard + turn * per_turn for turn in range(self.turns))

    @property
    def sampling_operations(self) -> float:
        """Of one dialogue: every token once, each attending to those before it."""
        return self.shape.forward_operations(1, (self.length - 1) / 2) * self.length

    @property
    def training_operations(self) -> float:
        """Of one dialogue's optimiser step: a forward pass, and a backward pass of twice its cost."""
        return 3 * self.shape.forward_operations(self.length)

    @property
    def cache_bytes(self) -> int:
        """Of one dialogue at its end."""
        return self.length * self.shape.cache_bytes


@dataclass(frozen=True, slots=True)
class Device:
    """An accelerator.

    Attributes:
        operations: dense bf16, per second, at best.
        bandwidth: of its memory, bytes per second, at best.
        memory: bytes.
    """

    name: str
    operations: float
    bandwidth: float
    memory: float


DEVICES = {
    d.name: d
    for d in (
        Device("a100", 312e12, 2.0e12, 80e9),
        Device("h100", 989e12, 3.35e12, 80e9),
        Device("h200", 989e12, 4.8e12, 141e9),
    )
}
"""From their makers' data sheets: dense bf16, no sparsity; SXM."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of a number of dialogues between two models that share a device.

    Attributes:
        at_once: dialogues that fit beside the weights of both models.
        sampling_hours: of the device, to hold them.
        training_hours: of the device, to train the agent once on each.
        training_bytes: of the agent in training, without activations: all weights trained, or an adapter's alone; and the copy
            in bf16 that samples.
        activation_bytes: kept for the backward pass of one dialogue, its logits included; with `checkpointing`, one layer's
            and what each begins with.
    """

    dialogues: int
    at_once: int
    sampling_hours: float
    training_hours: float
    training_bytes: float
    activation_bytes: float


def cost_of(
    agent: Side,
    user: Side,
    device: Device,
    *,
    dialogues: int = 1000,
    compute_share: float = 0.4,
    bandwidth_share: float = 0.6,
    lora_rank: int | None = None,
    frozen_bf16: bool = False,
    checkpointing: bool = False,
) -> Estimate:
    """The cost of holding dialogues and of learning from them once.

    A written token costs a pass over the weights and over the caches of all dialogues held at once, or the arithmetic,
    whichever takes longer; a read token the arithmetic alone.

    Args:
        compute_share, bandwidth_share: of `device.operations` and `device.bandwidth` that are reached, in (0, 1].
        lora_rank: of an adapter that is trained in place of the weights.
        frozen_bf16: whether the weights below an adapter are held in bf16 (`model.weights`), not fp32.
        checkpointing: whether layers are computed again in the backward pass, which adds one forward pass.

    Raises:
        ModelError: if the weights and one dialogue do not fit the device.
    """
    operations, bandwidth = device.operations * compute_share, device.bandwidth * bandwidth_share
    weights = agent.shape.weight_bytes + user.shape.weight_bytes
    per_dialogue = agent.cache_bytes + user.cache_bytes
    at_once = min(dialogues, math.floor((0.9 * device.memory - weights) / per_dialogue))
    if at_once < 1:
        raise ModelError(
            f"both models and one dialogue take {(weights + per_dialogue) / 1e9:.0f} GB",
            where=device.name,
            fix="take a larger device, or spread them over several",
        )
    seconds = 0.0
    for side in (agent, user):
        steps = side.turns * side.written
        moved = side.shape.weight_bytes + at_once * side.cache_bytes / 2
        added = at_once * side.shape.forward_operations(1, side.length / 2)
        writing = steps * max(moved / bandwidth, added / operations)
        reading = at_once * side.read * side.shape.forward_operations(1, side.length / 2) / operations
        seconds += writing + reading
    sampling = seconds * dialogues / at_once
    passes = 4 / 3 if checkpointing else 1.0
    training = dialogues * passes * agent.training_operations / operations
    shape = agent.shape
    if lora_rank is None:
        held = shape.parameters * _TRAINED_BYTES
    else:
        held = shape.parameters * (_BF16 if frozen_bf16 else _FP32) + lora_rank * shape.adapted * _TRAINED_BYTES
    held += shape.weight_bytes
    layer = _LAYER_BYTES * agent.length * shape.hidden
    kept = layer + shape.layers * agent.length * shape.hidden * _BF16 if checkpointing else shape.layers * layer
    logits = agent.length * shape.vocabulary * (_BF16 + _FP32)
    return Estimate(dialogues, at_once, sampling / 3600, training / 3600, float(held), float(kept + logits))


def shape_of(name_or_folder: str | Path, *, revision: str | None = None) -> Shape:
    """The shape of a model by its configuration; no weights are needed, and none are loaded.

    Raises:
        ModelError: if there is no configuration of a causal language model.
    """
    try:
        config = AutoConfig.from_pretrained(str(name_or_folder), revision=revision or "main")
        return shape_from(config.get_text_config())
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"has no configuration of a causal language model: {error}",
            where=str(name_or_folder),
            fix="give a folder with a config.json, or a name on the Hugging Face hub",
        ) from error


def shape_from(config: PreTrainedConfig) -> Shape:
    """The shape of any architecture that transformers has: its modules are made without memory, and counted."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    output = model.get_output_embeddings()
    inside = [module for module in linear if module is not output]
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Shape(
        parameters=sum(p.numel() for p in model.parameters()),
        multiplied=sum(module.weight.numel() for module in linear),
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=head_dim,
        hidden=config.hidden_size,
        vocabulary=config.vocab_size,
        adapted=sum(module.in_features + module.out_features for module in inside),
    )
