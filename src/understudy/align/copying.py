"""Teaches a model made from scratch to copy, in place of the pre-training that a downloaded model brings along.

Copying what was said (a value from the goal, a word from the last message) needs induction heads, which form late when
they must be learned from a few thousand dialogues and early on repeated random tokens (Olsson et al. 2022,
arXiv 2209.11895). No dialogue is used here.
"""

from __future__ import annotations

import numpy as np
import torch

from understudy.models.likelihood import token_logprobs
from understudy.models.load import ChatModel, default_device
from understudy.runs import stream

_BATCH, _SHORTEST, _LONGEST, _GAP = 32, 8, 32, 8
_WARMUP = 50


def learn_copying(chat_model: ChatModel, steps: int, learning_rate: float, *, seed: int) -> float:
    """Train in place on `steps` batches of random token sequences that are written twice.

    Returns:
        Mean NLL in nats per token of the second writing, in the last batch (log of the vocabulary if nothing is copied).
    """
    device = default_device()
    model = chat_model.model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    specials = len(chat_model.tokenizer.all_special_ids)
    model.train()
    nll = float("nan")
    for step in range(steps):
        rng = stream(seed, "copying", str(step))
        length, gap = int(rng.integers(_SHORTEST, _LONGEST + 1)), int(rng.integers(_GAP))
        ids = rng.integers(specials, model.config.vocab_size, size=(_BATCH, length + gap))
        twice = torch.as_tensor(np.concatenate([ids, ids[:, :length]], axis=1), device=device)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / _WARMUP)
        # The first token of the second writing cannot be foreseen.
        loss = -token_logprobs(model, twice)[:, -(length - 1) :].mean()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        nll = float(loss.detach())
    return nll
