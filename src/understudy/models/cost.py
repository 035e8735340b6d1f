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
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from understudy.errors import ModelError
from understudy.models.cache import head_size, kv_heads

_BF16, _FP32 = 2, 4
_TRAINED_BYTES = 3 * _FP32 + _FP32
"""Of each trained weight: AdamW's two moments, the gradient, and the weight itself in fp32."""
_LOGIT_BYTES = _BF16 + 2 * _FP32
"""Of each logit in training: as it is written, in fp32, and its log-softmax."""


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
        return 2 * self.layers * self.kv_heads * self.head_dim * _BF16

    @property
    def weight_bytes(self) -> int:
        """Of the weights in bf16."""
        return self.parameters * _BF16

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

    def training_operations(self, *, lora_rank: int | None = None, checkpointing: bool = False) -> float:
        """Of one dialogue's optimiser step: a forward pass, and a backward pass of twice its cost.

        Frozen weights below an adapter have no gradient of their own, but for the output layer, in which the token to leave
        with is trained. With `checkpointing` there is another forward pass.
        """
        shape, tokens = self.shape, self.length
        again = shape.forward_operations(tokens) if checkpointing else 0.0
        attention = 3 * shape.attention_operations(tokens)
        if lora_rank is None:
            return 3 * shape.product_operations(tokens) + attention + again
        adapted = 6 * lora_rank * shape.adapted + 2 * shape.hidden * shape.vocabulary
        return 2 * shape.product_operations(tokens) + adapted * tokens + attention + again

    def activation_bytes(self, *, checkpointing: bool = False) -> float:
        """Kept for the backward pass of one dialogue, its logits included.

        With `checkpointing`: one layer's activations, and what each layer begins with.
        """
        shape = self.shape
        kept = shape.kept_bytes
        if checkpointing:
            kept = kept // shape.layers + shape.layers * shape.hidden * _FP32
        return float(self.length * (kept + shape.vocabulary * _LOGIT_BYTES))

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
        activation_bytes: see `Side.activation_bytes`.
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
    # Finished rows are dropped from a copy, so that for a while the speaking side's caches are there twice.
    per_dialogue = agent.cache_bytes + user.cache_bytes + max(agent.cache_bytes, user.cache_bytes)
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
    step = agent.training_operations(lora_rank=lora_rank, checkpointing=checkpointing)
    training = dialogues * step / operations
    shape = agent.shape
    if lora_rank is None:
        held = shape.parameters * _TRAINED_BYTES
    else:
        held = shape.parameters * (_BF16 if frozen_bf16 else _FP32) + lora_rank * shape.adapted * _TRAINED_BYTES
    held += shape.weight_bytes
    kept = agent.activation_bytes(checkpointing=checkpointing)
    return Estimate(dialogues, at_once, sampling / 3600, training / 3600, float(held), kept)


def shape_of(name_or_folder: str | Path, *, revision: str | None = None) -> Shape:
    """The shape of a model by its configuration; no weights are needed, and none are loaded.

    Raises:
        ModelError: if there is no configuration of a causal language model.
    """
    try:
        config = AutoConfig.from_pretrained(str(name_or_folder), revision=revision or "main")
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
        ModelError: if much of it is neither a linear layer nor an embedding (a mixture of experts), or it has no attention.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
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
        kv_heads=kv_heads(config),
        head_dim=head_size(config),
        hidden=config.hidden_size,
        vocabulary=config.vocab_size,
        adapted=sum(module.in_features + module.out_features for module in inside),
        kept_bytes=_kept_bytes(model, config, inside),
    )


def _kept_bytes(model: PreTrainedModel, config: PreTrainedConfig, linear: list[torch.nn.Linear]) -> int:
    """Of one token in all layers: inputs of the products in bf16, what normalisation multiplies in fp32, the three factors of
    gated layers, and queries, keys, values and output of the attention."""
    heads, size = config.num_attention_heads, head_size(config)
    inputs = sum(_BF16 * module.in_features for module in linear)
    normalised: int = 0
    for name, module in model.named_modules():
        if type(module).__name__.endswith("Norm") and ".layers." in name:
            width = module.weight.numel()
            if width == size:  # of each head
                width *= heads if name.endswith("q_norm") else kv_heads(config)
            normalised += 2 * _FP32 * width
    gated: int = 3 * _BF16 * (getattr(config, "intermediate_size", None) or 4 * config.hidden_size)
    attention: int = 2 * _BF16 * size * (heads + kv_heads(config))
    layers: int = config.num_hidden_layers
    return inputs + normalised + layers * (gated + attention)
