"""Batches of token records and the likelihood that a model gives them: shared by SFT, RL and perplexity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from understudy.models.precision import training_autocast

_MOST_LOGITS = 2**24
"""Logits that are copied at once, 64 MB of them in each copy."""


@dataclass(frozen=True, slots=True)
class Example:
    """A token sequence and the loss mask over it (true on the tokens that this side wrote)."""

    ids: Sequence[int]
    mask: Sequence[bool]

    @property
    def starts(self) -> NDArray[np.intp]:
        """Places of the first token of each message of this side: what the other side wrote stands between two."""
        mask = np.array(self.mask, dtype=bool)
        return np.flatnonzero(mask & ~np.concatenate([[False], mask[:-1]]))

    def per_message(self, values: NDArray[Any]) -> list[float]:
        """Sums of a figure per token, [T] or longer, over each message of this side."""
        if not self.starts.size:
            return []
        own: list[float] = np.add.reduceat(values[: len(self.mask)] * np.array(self.mask), self.starts).tolist()
        return own


@dataclass(frozen=True, slots=True)
class Batch:
    """Right-padded examples: `ids` [B, T] and the loss `mask` [B, T]; `indices` are their places in the list given."""

    ids: torch.Tensor
    mask: torch.Tensor
    indices: tuple[int, ...]


def batches_by_length(examples: Sequence[Example], max_tokens: int, pad_id: int, device: torch.device) -> list[Batch]:
    """Sort by length and cut into batches of at most `max_tokens` tokens with padding (at least one example each)."""
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].ids))
    result: list[Batch] = []
    chosen: list[int] = []
    for i in order:
        if chosen and (len(chosen) + 1) * len(examples[i].ids) > max_tokens:
            result.append(_pad(examples, chosen, pad_id, device))
            chosen = []
        chosen.append(i)
    if chosen:
        result.append(_pad(examples, chosen, pad_id, device))
    return result


def _pad(examples: Sequence[Example], chosen: Sequence[int], pad_id: int, device: torch.device) -> Batch:
    longest = max(len(examples[i].ids) for i in chosen)
    ids = torch.full((len(chosen), longest), pad_id)
    mask = torch.zeros(len(chosen), longest, dtype=torch.bool)
    for row, i in enumerate(chosen):
        n = len(examples[i].ids)
        ids[row, :n] = torch.as_tensor(examples[i].ids)
        mask[row, :n] = torch.as_tensor(examples[i].mask)
    return Batch(ids.to(device), mask.to(device), tuple(chosen))


def token_logprobs(model: PreTrainedModel, ids: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """log P(ids[:, t] | ids[:, :t]) as [B, T], 0 for the first token, in fp32.

    Right padding needs no mask under causal attention; the caller leaves padding out of its loss.

    Args:
        temperature: that the tokens are sampled at, above 0.
    """
    with training_autocast():
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    return _logprobs(_tempered(logits, temperature), ids)


class Surprise(NamedTuple):
    """How unlikely tokens are to a model, and how unlikely it expects its own to be there, in nats and nats squared.

    Attributes:
        nats: minus the log-probability of each token after those before it.
        expected: its expectation under the model, the entropy of the next token.
        variance: under the model.
    """

    nats: torch.Tensor
    expected: torch.Tensor
    variance: torch.Tensor

    @classmethod
    def of(cls, logits: torch.Tensor, ids: torch.Tensor) -> Surprise:
        """Of tokens [B, n], each after the logits [B, n, V] before it; some at a time, as copies of logits are large."""
        size = max(1, _MOST_LOGITS // logits.shape[2])
        places = zip(torch.split(logits.flatten(0, 1), size), torch.split(ids.flatten(), size), strict=True)
        parts = zip(*(cls._of_places(some, tokens) for some, tokens in places), strict=True)
        return cls(*(torch.cat(part).view(ids.shape) for part in parts))

    @staticmethod
    def _of_places(logits: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of tokens [N] after logits [N, V]."""
        logp = torch.log_softmax(logits.float(), -1)
        chance = logp.exp()
        expected = -(chance * logp).sum(-1)
        variance = (chance * logp**2).sum(-1) - expected**2
        return -logp.gather(1, ids[:, None])[:, 0], expected, variance.clamp(min=0)


def token_surprise(model: PreTrainedModel, ids: torch.Tensor) -> Surprise:
    """Of all tokens [B, T] but the first of each row; each [B, T - 1]."""
    with training_autocast():
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    return Surprise.of(logits, ids[:, 1:])


def token_logprobs_and_chance(
    model: PreTrainedModel, ids: torch.Tensor, token: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """As `token_logprobs`, with P(token | ids[:, :t]) of one token at every place, [B, T], 0 for the first."""
    with training_autocast():
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    chance = torch.softmax(logits.float(), -1)[:, :, token]
    return _logprobs(logits, ids), torch.nn.functional.pad(chance, (1, 0))


def token_logprobs_and_distance(
    model: PreTrainedModel, other: PreTrainedModel, ids: torch.Tensor, temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As `token_logprobs` of both models, with the total variation of their next token at every place, each [B, T]."""
    with training_autocast():
        logits = (m(input_ids=ids[:, :-1], use_cache=False).logits for m in (model, other))
    mine, theirs = (_tempered(of_one.to(ids.device), temperature) for of_one in logits)
    distance = 0.5 * (torch.softmax(mine, -1) - torch.softmax(theirs, -1)).abs().sum(-1).clamp(max=1)
    return _logprobs(mine, ids), _logprobs(theirs, ids), torch.nn.functional.pad(distance, (1, 0))


class LogprobsAndStates(NamedTuple):
    """What one forward pass over ids [B, T] gives.

    Attributes:
        logprobs: [B, T] as `token_logprobs`.
        states: [B, T - 1, hidden] of the residual stream after the block asked for, in fp32.
        last_states: [B, T - 1, hidden] before the output layer, in fp32.
    """

    logprobs: torch.Tensor
    states: torch.Tensor
    last_states: torch.Tensor


def token_logprobs_and_states(model: PreTrainedModel, ids: torch.Tensor, block: int) -> LogprobsAndStates:
    """As `token_logprobs`, with the residual stream after a block (1 is the first) and before the output layer."""
    with training_autocast():
        out = model(input_ids=ids[:, :-1], use_cache=False, output_hidden_states=True)
    return LogprobsAndStates(
        _logprobs(out.logits, ids), out.hidden_states[block].float(), out.hidden_states[-1].float()
    )


def _tempered(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    # Training, always at 1, does not pay for a copy of all logits.
    return logits.float() if temperature == 1 else logits.float() / temperature


def _logprobs(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    targets = ids[:, 1:]
    nll = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none")
    return torch.nn.functional.pad(-nll.view(targets.shape), (1, 0))


@torch.no_grad()
def mean_nll(model: PreTrainedModel, batches: Sequence[Batch]) -> tuple[float, int]:
    """Mean negative log-likelihood in nats per masked token, and the number of those tokens."""
    total, count = 0.0, 0
    model.eval()
    for batch in batches:
        logp = token_logprobs(model, batch.ids)
        total -= float((logp * batch.mask).sum())
        count += int(batch.mask.sum())
    return (total / count if count else math.nan), count
