"""Which models there are: shapes made from scratch, and pretrained ones by name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from understudy.config.base import StageConfig, broken

Weights = Literal["fp32", "bf16"]


class ModelConfig(StageConfig):
    """A causal language model: a pretrained one, or the shape of a tiny one made from scratch (Llama architecture)."""

    base: str | None = None
    """Pretrained model to fine-tune: a folder, or a name on the Hugging Face hub; null makes one of the shape below."""
    revision: str | None = None
    """Commit, tag or branch of `base` where it is a name: pin it, as names move. null takes the latest and keeps its commit."""
    chat_template: str | None = None
    """In place of the template of `base`: `chatml`, `mistral`, `phi`, `qwen3`, or a Jinja file; null keeps its own."""
    remote_code: bool = False
    """Whether code that comes with `base` is run. It can do all that you can: trust its authors, and pin `revision`."""
    device_map: Literal["auto"] | None = None
    """`auto` spreads the layers of `base` over all GPUs that a process sees, about evenly; null holds it whole on one."""
    weights: Weights = "fp32"
    """How the weights of `base` are held: `bf16` takes half the memory, with `lora_rank` alone."""
    lora_rank: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Rank of adapters (LoRA, arXiv 2106.09685) that are trained in place of the weights of `base`, 1 to 1024; null: none."""
    hidden: Annotated[int, Field(ge=8, le=8192)] = 128
    """Width of the residual stream, 8 to 8192; a multiple of `heads`."""
    layers: Annotated[int, Field(ge=1, le=128)] = 3
    """Transformer blocks, 1 to 128."""
    heads: Annotated[int, Field(ge=1, le=128)] = 4
    """Query heads, 1 to 128; fewer than 4 could not address the latest draft in our trials."""
    kv_heads: Annotated[int, Field(ge=1, le=128)] = 2
    """Key-value heads, 1 to `heads`, which is a multiple of it (grouped-query attention, arXiv 2305.13245)."""
    intermediate: Annotated[int, Field(ge=8, le=65_536)] = 352
    """Width of the gated feed-forward layer, 8 to 65536; about 8/3 of `hidden` (arXiv 2002.05202)."""
    vocabulary: Annotated[int, Field(ge=64, le=262_144)] = 1024
    """Most tokens that the tokenizer trained on the logs may have, 64 to 262144."""
    max_length: Annotated[int, Field(ge=32, le=131_072)] = 640
    """Longest dialogue in tokens, prompt included, 32 to 131072."""
    prompt: Literal["once", "each turn"] = "once"
    """Where the prompt stands: `once` at the start, or again before what the other side says at `each turn`."""

    @model_validator(mode="after")
    def _rules(self) -> ModelConfig:
        if self.hidden % self.heads:
            raise broken(
                "hidden",
                f"hidden is {self.hidden}, not a multiple of heads ({self.heads})",
                f"make hidden a multiple of {self.heads}, for example {max(1, self.hidden // self.heads) * self.heads}",
            )
        if self.heads % self.kv_heads:
            raise broken(
                "kv_heads",
                f"kv_heads is {self.kv_heads}, which does not divide heads ({self.heads})",
                f"use one of {', '.join(str(n) for n in range(1, self.heads + 1) if self.heads % n == 0)}",
            )
        if self.base is None and (self.revision is not None or self.chat_template is not None):
            key = "revision" if self.revision is not None else "chat_template"
            raise broken(key, f"{key} is given, but base is not", "name the model with base, or leave it out")
        if self.base is None and self.remote_code:
            raise broken(
                "remote_code", "remote_code is true, but base is not given", "name the model with base, or leave it out"
            )
        if self.base is None and self.device_map is not None:
            raise broken(
                "device_map",
                "device_map is given, but base is not",
                "a model from scratch fits one device: name a pretrained one with base, or leave it out",
            )
        if self.base is None and self.lora_rank is not None:
            raise broken(
                "lora_rank",
                "lora_rank is given, but base is not",
                "adapters need a pretrained model: name it with base",
            )
        if self.weights == "bf16" and self.lora_rank is None:
            raise broken(
                "weights",
                "weights is bf16, in which small steps of training are lost",
                "give lora_rank as well: adapters are held in fp32",
            )
        if (self.hidden // self.heads) % 2:
            raise broken(
                "hidden",
                f"hidden / heads is {self.hidden // self.heads}, an odd number",
                "rotary positions turn pairs of numbers: make hidden / heads even",
            )
        return self


class UserModelConfig(ModelConfig):
    """A user model: its goal is restated at each turn, next to the message that it is compared with."""

    max_length: Annotated[int, Field(ge=32, le=131_072)] = 1024
    """Longest dialogue in tokens, the goal restated at each turn included, 32 to 131072."""
    prompt: Literal["once", "each turn"] = "each turn"
    """Where the goal stands: `once` at the start, or again before what the agent says at `each turn`."""


class UnseenUserModelConfig(UserModelConfig):
    """The user family that no agent is trained with: smaller, and from scratch, so that it errs in other places."""

    hidden: Annotated[int, Field(ge=8, le=8192)] = 64
    """Width of the residual stream, 8 to 8192; a multiple of `heads`."""
    intermediate: Annotated[int, Field(ge=8, le=65_536)] = 176
    """Width of the gated feed-forward layer, 8 to 65536."""
