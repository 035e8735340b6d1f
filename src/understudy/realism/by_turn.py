"""How well a user model foretells held-out people, turn by turn: their words, and when they leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from understudy.align.sft import examples_of
from understudy.errors import ModelError
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel
from understudy.models.likelihood import batches_by_length, token_logprobs_and_chance
from understudy.models.placement import to_devices
from understudy.realism.card import TurnFit
from understudy.runs import stream
from understudy.stats import binomial_interval, bootstrap_interval, ratio_interval
from understudy.types import Dialogue

_BATCH_TOKENS = 8192


def fit_by_turn(
    chat_model: ChatModel, dialogues: Sequence[Dialogue], *, seed: int, min_dialogues: int = 10
) -> list[TurnFit]:
    """Every turn that at least `min_dialogues` reached. Dialogues must fit the model's context.

    Raises:
        ModelError: if the model has no token to leave with.
    """
    chat = ChatFormat.of(chat_model, "user")
    if chat.end_of_dialogue is None:
        raise ModelError("has no token to leave with", where=str(chat_model.tokenizer.name_or_path))
    losses: dict[int, list[float]] = defaultdict(list)
    tokens: dict[int, list[float]] = defaultdict(list)
    left: dict[int, list[bool]] = defaultdict(list)
    leaves: dict[int, list[float]] = defaultdict(list)
    for dialogue, nll, counts, probabilities in _replies(chat_model, chat, dialogues, chat.end_of_dialogue):
        own = [message for message in dialogue.messages if message.role == "user"]
        for turn, message in enumerate(own):
            losses[turn].append(nll[turn])
            tokens[turn].append(counts[turn])
            left[turn].append(message.end)
            leaves[turn].append(probabilities[turn])
    found = []
    for turn in sorted(losses):
        n = len(losses[turn])
        if n < min_dialogues:
            break
        rng = stream(seed, "by turn", str(turn))
        found.append(
            TurnFit(
                turn,
                n,
                ratio_interval(losses[turn], tokens[turn], rng).exp(),
                binomial_interval(sum(left[turn]), n),
                bootstrap_interval(leaves[turn], rng),
            )
        )
    return found


def _replies(
    chat_model: ChatModel, chat: ChatFormat, dialogues: Sequence[Dialogue], leave: int
) -> Iterator[tuple[Dialogue, list[float], list[float], list[float]]]:
    """(dialogue, and of each own message: its NLL, its tokens, P(leave) as its first), in no particular order."""
    model = chat_model.model.eval()
    device = to_devices(model)
    examples = examples_of(dialogues, chat)
    for batch in batches_by_length(examples, _BATCH_TOKENS, chat_model.tokenizer.pad_token_id, device):
        with torch.no_grad():
            logp, leaves = (found.cpu().numpy() for found in token_logprobs_and_chance(model, batch.ids, leave))
        for row, index in enumerate(batch.indices):
            example = examples[index]
            nll, tokens = example.per_message(-logp[row]), example.per_message(np.ones(len(example.mask)))
            yield dialogues[index], nll, tokens, leaves[row, example.starts].tolist()
