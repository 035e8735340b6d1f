"""What dialogues between two models cost, by formula: tokens, arithmetic, memory and the hours of a device.

Whatever is counted here is checked on tiny models: parameters and cache against the tensors, arithmetic against torch's
counter, tokens against those that a conversation feeds. Hours follow from two shares of what a device could do at best,
which are assumptions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from understudy.errors import ModelError
from understudy.models.shape import BF16, FP32, Shape

_TRAINED_BYTES = 4 * FP32
"""Of each trained weight: AdamW's two moments, the gradient, and the weight itself in fp32."""
_LOGIT_BYTES = BF16 + 2 * FP32
"""Of each logit in training: as it is written, in fp32, and its log-softmax."""


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
            kept = kept // shape.layers + shape.layers * shape.hidden * FP32
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
        training_operations: of learning from one dialogue.
        training_hours: of the device, to train the agent once on each.
        training_bytes: of the agent in training, without activations: all weights trained, or an adapter's alone; and the copy
            in bf16 that samples, of what is not held in bf16 already.
        activation_bytes: see `Side.activation_bytes`.
    """

    dialogues: int
    at_once: int
    sampling_hours: float
    training_operations: float
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
    one_model: bool = False,
    checkpointing: bool = False,
) -> Estimate:
    """The cost of holding dialogues and of learning from them once.

    A written token costs a pass over the weights and over the caches of all dialogues held at once, or the arithmetic,
    whichever takes longer; a read token the arithmetic alone.

    Args:
        compute_share, bandwidth_share: of `device.operations` and `device.bandwidth` that are reached, in (0, 1].
        lora_rank: of an adapter that is trained in place of the weights.
        frozen_bf16: whether the weights below an adapter are held in bf16 (`model.weights`), not fp32.
        one_model: whether both sides are adapters of one model in bf16, which is held once.
        checkpointing: whether layers are computed again in the backward pass, which adds one forward pass.

    Raises:
        ModelError: if the weights and one dialogue do not fit the device.
    """
    operations, bandwidth = device.operations * compute_share, device.bandwidth * bandwidth_share
    weights = agent.shape.weight_bytes + (0 if one_model else user.shape.weight_bytes)
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
    step = agent.training_operations(lora_rank=lora_rank, checkpointing=checkpointing)
    shape = agent.shape
    if lora_rank is None:
        held = shape.parameters * _TRAINED_BYTES + shape.weight_bytes
    else:
        adapter = lora_rank * shape.adapted
        frozen = shape.weight_bytes if frozen_bf16 else shape.parameters * FP32 + shape.weight_bytes
        held = frozen + adapter * (_TRAINED_BYTES + BF16)
    return Estimate(
        dialogues=dialogues,
        at_once=at_once,
        sampling_hours=seconds * dialogues / at_once / 3600,
        training_operations=step,
        training_hours=dialogues * step / operations / 3600,
        training_bytes=float(held),
        activation_bytes=agent.activation_bytes(checkpointing=checkpointing),
    )
