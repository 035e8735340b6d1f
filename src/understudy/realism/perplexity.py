"""How well user (or agent) models predict what was said: held-out people's words, or the other side's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from understudy.align.sft import examples_of
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.likelihood import Example, batches_by_length, token_logprobs
from understudy.models.placement import to_devices
from understudy.runs import stream
from understudy.stats import Interval, ratio_interval
from understudy.types import Dialogue, Message, Role

_BATCH_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Perplexity:
    """exp(mean NLL) per token of the model's own tokenizer, ends of turn included, on `tokens` tokens.

    Attributes:
        bits_per_character: of the same messages; comparable between tokenizers.
    """

    per_token: float
    tokens: int
    bits_per_character: float


def reply_log_probs(
    members: Sequence[ChatModel], side: Role, dialogues: Sequence[Dialogue], temperature: float = 1.0
) -> list[list[float] | None]:
    """log P(message | what was said before, prompt) of each of this side's messages, its end included, by dialogue.

    Written as the model's tokenizer writes them; another split of the same words into tokens would add a little. None for
    dialogues that are longer than a model's context.

    Args:
        members: one model, or those of an ensemble, each of which holds an equal share of the dialogues: which one it is
            can be told ever better from what was said (`mixture`).
        temperature: that the messages are sampled at, above 0; the probabilities are those of sampling so.
    """
    found = [[_per_message(scored) for scored in _scored(member, side, dialogues, temperature)] for member in members]
    return [
        None if any(f is None for f in one) else mixture([f for f in one if f is not None])
        for one in zip(*found, strict=True)
    ]


def mixture(members: Sequence[Sequence[float]]) -> list[float]:
    """log P of each message where one member, drawn uniformly, wrote them all.

    Args:
        members: [K][T] each member's log P of message t given those before it.
    """
    # In logs: P(m_1 .. m_t) is the mean over members; its ratio to P(m_1 .. m_t-1) is the message's own.
    cumulative = np.cumsum(np.asarray(members, dtype=float), axis=1)
    together = np.logaddexp.reduce(cumulative, axis=0) - math.log(len(members))
    alone: list[float] = np.diff(together, prepend=0.0).tolist()
    return alone


def held_out_perplexity(members: Sequence[ChatModel], side: Role, dialogues: Sequence[Dialogue]) -> Perplexity:
    """Perplexity of one side's messages given its prompt and what was said before.

    Args:
        members: as in `reply_log_probs`; an ensemble's tokens are counted by its first member's tokenizer.
    """
    log_probs = reply_log_probs(members, side, dialogues)
    examples = examples_of(dialogues, ChatFormat.of(members[0], side))
    read = [(d, e, p) for d, e, p in zip(dialogues, examples, log_probs, strict=True) if p is not None]
    nll = -sum(sum(p) for _, _, p in read)
    tokens = sum(sum(e.mask) for _, e, _ in read)
    # One character for the end of each message, so that it is not predicted for nothing.
    characters = sum(len(m.text) + 1 for d, _, _ in read for m in d.messages if m.role == side)
    return Perplexity(math.exp(nll / max(1, tokens)), tokens, nll / math.log(2) / max(1, characters))


def heard_perplexity(
    listeners: Sequence[ChatModel],
    side: Role,
    dialogues: Sequence[Dialogue],
    *,
    seed: int,
    include: Callable[[Message], bool] = lambda message: True,
) -> Interval | None:
    """exp(mean NLL) per word token of the *other* side's messages, as models of this side read them; 95% bootstrap interval.

    What a listener expects to hear is learned from people, so that a speaker who drifts away from their language becomes
    harder to foretell (language drift: Lewis et al. 2017, arXiv 1706.05125; Lazaridou et al. 2020, arXiv 2005.07064).
    Ends of messages are not counted. None where no word counts.

    Args:
        listeners: their losses and tokens are summed.
        dialogues: those longer than a listener's context are left out.
        seed: of the bootstrap over dialogues.
        include: which messages count.
    """
    losses, tokens = np.zeros(len(dialogues)), np.zeros(len(dialogues))
    for listener in listeners:
        chat = ChatFormat.of(listener, side)
        marks = [chat.heard(d.task.prompt(side), d.messages, include) for d in dialogues]
        for index, scored in enumerate(_scored(listener, side, dialogues)):
            if scored is not None:
                heard = np.array(marks[index])
                losses[index] -= scored[1][heard].sum()
                tokens[index] += heard.sum()
    counted = tokens > 0
    if not counted.any():
        return None
    return ratio_interval(losses[counted], tokens[counted], stream(seed, "heard")).exp()


def _per_message(scored: tuple[Example, NDArray[np.float32]] | None) -> list[float] | None:
    return None if scored is None else scored[0].per_message(scored[1])


def _scored(
    chat_model: ChatModel, side: Role, dialogues: Sequence[Dialogue], temperature: float = 1.0
) -> list[tuple[Example, NDArray[np.float32]] | None]:
    """Each dialogue in this side's view with log P of each token, [T]; None where it is longer than the model's context."""
    model = chat_model.model.eval()
    device = to_devices(model)
    examples = examples_of(dialogues, ChatFormat.of(chat_model, side))
    fitting = [i for i, e in enumerate(examples) if len(e.ids) <= context_length(model)]
    found: list[tuple[Example, NDArray[np.float32]] | None] = [None] * len(examples)
    pad = chat_model.tokenizer.pad_token_id
    with torch.no_grad():
        for batch in batches_by_length([examples[i] for i in fitting], _BATCH_TOKENS, pad, device):
            logp = token_logprobs(model, batch.ids, temperature).cpu().numpy()
            for row, place in enumerate(batch.indices):
                example = examples[fitting[place]]
                found[fitting[place]] = example, logp[row, : len(example.ids)]
    return found


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
