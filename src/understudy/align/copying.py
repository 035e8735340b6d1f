"""Teaches a model made from scratch to copy, in place of the pre-training that a downloaded model brings along.

Copying what was said (a value from the goal, a word from the last message) needs induction heads. They form within a
thousand steps on random tokens that are written twice (Olsson et al. 2022, arXiv 2209.11895), and late or never on a few
thousand dialogues. No dialogue and no tokenizer is used here, so that one model serves the agents of all cells.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from transformers import PreTrainedModel

from understudy.models.likelihood import token_logprobs
from understudy.models.placement import to_devices
from understudy.models.tiny import SPECIAL_TOKENS
from understudy.runs import stream

_BATCH, _SHORTEST, _LONGEST, _GAP = 64, 4, 24, 8
_LEARNING_RATE, _WARMUP = 2e-3, 50
_WIDTH = 160
"""Models up to this wide learn at that rate; wider ones at a rate lower by as much (Tensor Programs V, arXiv 2203.03466)."""


def learn_copying(
    model: PreTrainedModel, steps: int, *, seed: int, on_step: Callable[[int, float], None] | None = None
) -> float:
    """Train in place on `steps` batches of random token sequences that are written twice.

    Args:
        on_step: called with the number of steps done and the NLL of the last batch.

    Returns:
        Mean NLL in nats per token of the second writing over the last tenth of the steps: the log of the vocabulary
        where nothing is copied, 0 where everything is. NaN for no steps.
    """
    device = to_devices(model)
    model.train()
    rate = _LEARNING_RATE * min(1.0, _WIDTH / model.config.hidden_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    nlls: list[float] = []
    for step in range(steps):
        rng = stream(seed, "copying", str(step))
        length, gap = int(rng.integers(_SHORTEST, _LONGEST + 1)), int(rng.integers(_GAP))
        ids = rng.integers(len(SPECIAL_TOKENS), model.config.vocab_size, size=(_BATCH, length + gap))
        twice = torch.as_tensor(np.concatenate([ids, ids[:, :length]], axis=1), device=device)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / _WARMUP)
        # The first token of the second writing cannot be foreseen.
        loss = -token_logprobs(model, twice)[:, -(length - 1) :].mean()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        nlls.append(float(loss.detach()))
        if on_step:
            on_step(step + 1, nlls[-1])
    return float(np.mean(nlls[-max(1, steps // 10) :])) if nlls else float("nan")
