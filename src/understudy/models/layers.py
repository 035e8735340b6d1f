"""What the layers of a model keep of a dialogue, and how they are told of it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import torch
from transformers import Cache, PreTrainedModel

from understudy.errors import ModelError
from understudy.models.attention import FULL
from understudy.models.cache import RaggedCache

SLIDING, CHUNKED = "sliding_attention", "chunked_attention"
"""What transformers calls layers that attend to the last tokens alone, and within chunks alone."""
_KNOWN: dict[str, tuple[str | None, bool]] = {
    FULL: (FULL, False),
    SLIDING: (SLIDING, False),
    CHUNKED: (CHUNKED, False),
    "linear_attention": (None, True),
    "conv": (None, True),
    "hybrid": (FULL, True),
    "hybrid_sliding": (SLIDING, True),
    "mlp": (None, False),
    "moe": (None, False),
}
"""By transformers' name for a kind of layer: its attention, and whether it has recurrent states."""
_READS_ON = {
    "bamba", "falcon_h1", "granitemoehybrid", "kimi_linear", "lfm2", "lfm2_moe", "mamba2", "nemotron_h", "olmo_hybrid",
    "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next", "zamba2",
}  # fmt: skip
"""Model types seen to read several tokens at once after others; recurrent layers of others (Mamba, Jamba) may begin anew."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of a model.

    Attributes:
        attention: tokens in the window or chunk of each kind of attention; None for all.
        recurrent: whether some layers sum up what they read in states.
        reads_on: whether those read several tokens at once after others; else one by one.
        cache: what the forward pass calls the cache.
    """

    attention: dict[str, int | None]
    recurrent: bool
    reads_on: bool
    cache: str

    def arguments(self, work: RaggedCache, positions: torch.Tensor, rows: torch.Tensor | None) -> dict[str, object]:
        """What a forward pass is told of the places of its tokens, [B, n] with -1 for padding (see `RaggedCache.place`)."""
        everything = work.place(positions, rows)
        if not self.attention:
            return {self.cache: work}
        masks = {kind: self._limited(work, everything, kind) for kind in self.attention}
        if len(masks) > 1:  # each kind of layer looks for its own; what is only recurrent is given no padding
            mask: object = {kind: masks.get(attention or "") for kind, (attention, _) in _KNOWN.items()}
        else:
            mask = next(iter(masks.values()))
        return {
            self.cache: work,
            "attention_mask": mask,
            "position_ids": positions.clamp(min=0),
        }

    def _limited(self, work: RaggedCache, everything: torch.Tensor, kind: str) -> torch.Tensor:
        """The mask of layers of one kind."""
        size = self.attention[kind]
        if size is None:
            return everything
        return work.within_chunk(everything, size) if kind == CHUNKED else work.within(everything, size)


def layers_of(model: PreTrainedModel) -> Layers:
    """What the layers of a model keep.

    Raises:
        ModelError: if a layer keeps neither keys and values nor states that transformers' caches have a place for.
    """
    config = model.config
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or [SLIDING if window else FULL])
    takes = inspect.signature(model.forward).parameters
    cache = "cache_params" if "cache_params" in takes else "past_key_values"
    unknown = kinds - _KNOWN.keys()
    recurrent = any(_KNOWN[kind][1] for kind in kinds - unknown)
    own = f"layers of the kind {', '.join(sorted(unknown))}" if unknown else None
    if cache not in takes or (model._is_stateful and not recurrent):
        own = own or f"states of its own kind ({type(model).__name__})"
    if own:
        raise ModelError(
            f"keeps what was said in {own}, which the sampler does not know",
            where=str(model.name_or_path or config.model_type),
            fix=f"use a model whose layers are of the kinds {', '.join(_KNOWN)}",
        )
    if recurrent and not hasattr(Cache, "get_conv_state"):
        raise ModelError(
            "has recurrent layers, whose states this version of transformers keeps in another way",
            where=str(model.name_or_path or config.model_type),
            fix="pip install 'transformers>=5.23'",
        )
    sizes = {FULL: None, SLIDING: window, CHUNKED: getattr(config, "attention_chunk_size", None)}
    attention = sorted({kept for kind in kinds if (kept := _KNOWN[kind][0])})
    return Layers(
        attention={kind: sizes[kind] for kind in attention},
        recurrent=recurrent,
        reads_on=config.model_type in _READS_ON,
        cache=cache,
    )
