"""Attention as plain matrix products, where the fused CPU kernels are slow: short sequences, small heads."""

from __future__ import annotations

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel

from understudy.errors import ModelError
from understudy.models.precision import fast_bf16

FULL = "full_attention"
"""What transformers calls layers that attend to everything before."""
DECODING_ATTENTION = "understudy_decoding"
TRAINING_ATTENTION = "understudy_training"
_MOST_SCORES = 2**28
"""Scores of rows that are taken at once, 1 GB of them, where all are held."""


def decoding_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    position_bias: torch.Tensor | None = None,
    **kwargs: object,
) -> tuple[torch.Tensor, None]:
    """Masked attention with grouped keys, computed in the dtype of the cache.

    Args:
        query: [B, heads, n, d].
        key: [B, kv_heads, T, d] from the cache.
        value: [B, kv_heads, T, e].
        attention_mask: [B, 1, n, T], true where attended.
        softcap: scores are kept within this by a tanh (Gemma 2, arXiv 2408.00118).
        s_aux: [heads] attention sinks (gpt-oss, arXiv 2309.17453): the score of a place without content, which takes its share.
        position_bias: of scores by the distance of their tokens, which is refused.

    Returns:
        [B, n, heads, e] in the dtype of the query, and no weights.

    Raises:
        ModelError: if scores are biased by distance.
    """
    if position_bias is not None:
        raise ModelError(
            "biases its attention by the distance of tokens, which it takes from the columns of a cache",
            fix="use a model with rotary or learned positions",
        )
    batch, heads, n, d = query.shape
    scale = scaling if scaling is not None else d**-0.5
    q = query.to(key.dtype)
    if n == 1 or softcap is not None or s_aux is not None:
        at_once = max(1, _MOST_SCORES // (heads * n * key.shape[2]))
        if batch <= at_once:
            out = _scored(q, key, value, attention_mask, scale, softcap, s_aux)
        else:
            parts = zip(*(torch.split(part, at_once) for part in (q, key, value, attention_mask)), strict=True)
            out = torch.cat([_scored(q, k, v, mask, scale, softcap, s_aux) for q, k, v, mask in parts])
    else:
        out = scaled_dot_product_attention(
            q, key, value, attn_mask=attention_mask, scale=scale, enable_gqa=heads != key.shape[1]
        )
    return out.transpose(1, 2).to(query.dtype), None


def _scored(
    q: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    scale: float,
    softcap: float | None,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """As `decoding_attention`, [B, heads, n, e], with all scores at once."""
    batch, heads, n, d = q.shape
    groups = heads // key.shape[1]
    scores = (q.reshape(batch, -1, groups * n, d) @ key.transpose(-1, -2)).float() * scale
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    allowed = mask if n == 1 else mask.repeat(1, 1, groups, 1)
    scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    if sinks is not None:
        column = sinks.float().view(1, -1, groups, 1).expand(batch, -1, -1, n).reshape(batch, -1, groups * n, 1)
        scores = torch.cat([scores, column], -1)
    return (scores.softmax(-1)[..., : key.shape[2]].to(value.dtype) @ value).view(batch, heads, n, value.shape[-1])


def training_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    s_aux: torch.Tensor | None = None,
    **kwargs: object,
) -> tuple[torch.Tensor, None]:
    """Causal attention over whole right-padded sequences in the dtype of the products (bf16 under autocast).

    For CPUs, whose fused bf16 kernel is slow at short sequences and small heads.

    Args:
        query: [B, heads, T, d].
        key: [B, kv_heads, T, d].
        value: [B, kv_heads, T, e].
        attention_mask: ignored: under right padding, causality keeps padding out of every real token.
        s_aux: attention sinks, which are refused.

    Returns:
        [B, T, heads, e] and no weights.

    Raises:
        ModelError: if there are sinks.
    """
    _refuse_sinks(s_aux)
    batch, heads, n, d = query.shape
    groups = heads // key.shape[1]
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype
    scale = scaling if scaling is not None else d**-0.5
    with torch.autocast("cpu", enabled=False):
        q = (query * scale).to(dtype).reshape(batch, -1, groups * n, d)
        future = torch.full((n, n), torch.finfo(dtype).min / 2, dtype=dtype).triu(1)
        scores = (q @ key.to(dtype).transpose(-1, -2)).view(batch, -1, groups, n, n) + future
        out = scores.softmax(-1).view(batch, -1, groups * n, n) @ value.to(dtype)
    return out.view(batch, heads, n, value.shape[-1]).transpose(1, 2), None


def use_training_attention(model: PreTrainedModel) -> None:
    """Switch a model to `training_attention` on CPUs that train in bf16, whose fused kernel is slow."""
    config, on_cpu = model.config, not torch.cuda.is_available()
    whole = getattr(config, "sliding_window", None) is None and {*(getattr(config, "layer_types", None) or [FULL])} == {
        FULL
    }
    if on_cpu and fast_bf16() and whole:
        model.set_attn_implementation(TRAINING_ATTENTION)


def _refuse_sinks(sinks: torch.Tensor | None) -> None:
    """They take a share of the attention, and without them a model would say other things than it was trained to."""
    if sinks is not None:
        raise ModelError("has attention with sinks, which is not there yet", fix="use a model without (not gpt-oss)")


AttentionInterface.register(TRAINING_ATTENTION, training_attention)
AttentionInterface.register(DECODING_ATTENTION, decoding_attention)
