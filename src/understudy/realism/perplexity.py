"""How well a user (or agent) model predicts what held-out people said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from understudy.align.sft import examples_of
from understudy.models.chat import ChatFormat
from understudy.models.likelihood import Example, batches_by_length, mean_nll, token_logprobs
from understudy.models.load import ChatModel
from understudy.models.precision import default_device
from understudy.types import Dialogue, Role


@dataclass(frozen=True, slots=True)
class Perplexity:
    """exp(mean NLL) per token of the model's own tokenizer, ends of turn included, on `tokens` tokens.

    Attributes:
        bits_per_character: of the same messages; comparable between tokenizers.
    """

    per_token: float
    tokens: int
    bits_per_character: float


def reply_log_probs(chat_model: ChatModel, side: Role, dialogues: Sequence[Dialogue]) -> list[list[float] | None]:
    """log P(message | what was said before, prompt) of each of this side's messages, its end included, by dialogue.

    Written as the model's tokenizer writes them; another split of the same words into tokens would add a little. None for
    dialogues that are longer than the model's context.
    """
    device = default_device()
    model = chat_model.model.to(device).eval()
    examples = examples_of(dialogues, ChatFormat.of(chat_model, side))
    fitting = [i for i, e in enumerate(examples) if len(e.ids) <= model.config.max_position_embeddings]
    found: list[list[float] | None] = [None] * len(examples)
    pad = chat_model.tokenizer.pad_token_id
    with torch.no_grad():
        for batch in batches_by_length([examples[i] for i in fitting], 8192, pad, device):
            logp = token_logprobs(model, batch.ids).cpu().numpy()
            for row, place in enumerate(batch.indices):
                found[fitting[place]] = examples[fitting[place]].per_message(logp[row])
    return found


def held_out_perplexity(chat_model: ChatModel, side: Role, dialogues: Sequence[Dialogue]) -> Perplexity:
    """Perplexity of one side's messages given its prompt and what was said before."""
    device = default_device()
    model = chat_model.model.to(device)
    chat = ChatFormat.of(chat_model, side)
    limit = model.config.max_position_embeddings
    fitting = [(d, e) for d, e in zip(dialogues, examples_of(dialogues, chat), strict=True) if len(e.ids) <= limit]
    examples = [e for _, e in fitting]
    nll, tokens = mean_nll(model, batches_by_length(examples, 8192, chat_model.tokenizer.pad_token_id, device))
    # One character for the end of each message, so that it is not predicted for nothing.
    characters = sum(len(m.text) + 1 for d, _ in fitting for m in d.messages if m.role == side)
    return Perplexity(math.exp(nll), tokens, nll * tokens / math.log(2) / max(1, characters))


def unigram_perplexity(train: Sequence[Example], held_out: Sequence[Example], vocabulary: int) -> float:
    """What knowing how often each token is said would give, per token: a reference for models of the same tokenizer.

    Frequencies of the masked tokens of `train`, one added to each.
    """
    counts = np.ones(vocabulary)
    for example in train:
        np.add.at(counts, np.array(example.ids)[np.array(example.mask)], 1)
    nll = -np.log(counts / counts.sum())
    said = np.concatenate([np.array(example.ids)[np.array(example.mask)] for example in held_out])
    return math.exp(float(nll[said].mean()))
