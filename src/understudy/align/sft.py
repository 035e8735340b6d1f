"""Supervised fine-tuning of one side on logged dialogues: the agent's base, or (roles reversed) the aligned user."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence

from understudy.align.auxiliary import AuxiliaryLoss, targets_of
from understudy.align.optimizer import sft_optimizer
from understudy.align.sft_state import Epoch, SFTState
from understudy.config import SFTConfig
from understudy.errors import LogError
from understudy.models.adapters import trainable
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.checkpointing import gradient_checkpointing
from understudy.models.dropout import residual_dropout
from understudy.models.likelihood import Example, batches_by_length, mean_nll, token_logprobs, token_logprobs_and_states
from understudy.models.placement import to_devices
from understudy.runs import stream
from understudy.types import Dialogue, Role


def texts_of(dialogues: Sequence[Dialogue], side: Role) -> Iterator[str]:
    """Everything that a model of this side will read or write: what its tokenizer is trained on."""
    for dialogue in dialogues:
        yield dialogue.task.prompt(side)
        yield from (message.text for message in dialogue.messages)
        yield from (message.shown for message in dialogue.messages if message.shown and message.role != side)


def examples_of(dialogues: Sequence[Dialogue], chat: ChatFormat) -> list[Example]:
    """Each dialogue in the view of the chat format's side; the loss mask holds that side's words and ends alone."""
    return [Example(*chat.dialogue(d.task.prompt(chat.side), d.messages)) for d in dialogues]


def weights_of(dialogue: Dialogue, example: Example, chat: ChatFormat, other_side_weight: float) -> torch.Tensor:
    """[T] of the loss over the tokens of an example: 1 on what this side wrote, `other_side_weight` on what it was told.

    What the interface shows at the head of an own turn has none: a model that foresees it writes it there itself, and so
    tells the other side what is private.

    Args:
        example: the dialogue in the view of the chat format's side.
    """
    weights = [1.0 if own else other_side_weight for own in example.mask]
    for place in chat.shown_within(dialogue.task.prompt(chat.side), dialogue.messages):
        weights[place] = 0.0
    return torch.tensor(weights)


def validation_split(dialogues: Sequence[Dialogue], share: float, seed: int) -> tuple[list[Dialogue], list[Dialogue]]:
    """Hold out a share of the persons, so that no person is on both sides.

    Raises:
        LogError: if either part would be empty.
    """
    persons = sorted({d.person for d in dialogues})
    held = set(stream(seed, "validation").permutation(persons)[: max(1, round(share * len(persons)))].tolist())
    train = [d for d in dialogues if d.person not in held]
    validation = [d for d in dialogues if d.person in held]
    if not train or not validation:
        raise LogError(
            f"{len(dialogues)} dialogues of {len(persons)} persons are too few to hold some persons out",
            fix="give more dialogues, or dialogues of more than one person",
        )
    return train, validation


def fit(
    chat_model: ChatModel,
    side: Role,
    train: Sequence[Dialogue],
    validation: Sequence[Dialogue],
    config: SFTConfig,
    *,
    seed: int,
    scratch: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Fine-tune in place; the weights of the epoch with the lowest held-out NLL are kept.

    A user's loss has `AuxiliaryLoss` beside the likelihood, where the config gives it weight. Dialogues longer than the model's
    context are left out.

    Args:
        scratch: a folder for `sft.pt`, written now and then; a fitting that was killed goes on from there and ends the same.
            Without it a fitting starts anew.

    Raises:
        LogError: if either part has no dialogue that fits the model's context.

    Returns:
        One record per epoch run: up to `config.epochs` or `config.steps`, whichever comes first, fewer if the held-out
        NLL stopped falling for `config.patience` epochs.
    """
    model = chat_model.model
    device = to_devices(model)
    chat = ChatFormat.of(chat_model, side)
    limit = context_length(model)
    pad = chat_model.tokenizer.pad_token_id
    fitting, fitting_validation = _fitting(train, chat, limit), _fitting(validation, chat, limit)
    batches = batches_by_length([e for _, e in fitting], config.batch_tokens, pad, device)
    held_out = batches_by_length([e for _, e in fitting_validation], config.batch_tokens, pad, device)
    weights = [weights_of(dialogue, example, chat, config.other_side_weight) for dialogue, example in fitting]
    auxiliary = None
    if side == "user" and (config.comparison_weight or config.counting_weight):
        targets = [targets_of(dialogue, chat) for dialogue, _ in fitting]
        auxiliary = AuxiliaryLoss(model.config.hidden_size, model.config.num_hidden_layers, config).to(device)
    heads = list(auxiliary.parameters()) if auxiliary else []
    parameters = [*trainable(model).values(), *heads]
    optimizer = sft_optimizer(model, heads, config if side == "user" else config.of_agent())
    total = min(config.steps, config.epochs * len(batches))
    warmup = max(1, round(config.warmup * total))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda i: min(1.0, (i + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * min(1.0, i / max(1, total)))),
    )
    if config.dropout:
        torch.manual_seed(seed)
    so_far = SFTState(scratch, model, auxiliary, optimizer, schedule)
    for epoch in range(len(so_far.history), math.ceil(total / len(batches))):
        if _stopped_falling(so_far.history, config.patience):
            break
        model.train()
        order = stream(seed, "sft", str(epoch)).permutation(len(batches))[: total - epoch * len(batches)]
        for index in order[so_far.step - epoch * len(batches) :]:
            batch = batches[index]
            own = batch.mask.float()
            weight = pad_sequence([weights[i] for i in batch.indices], batch_first=True).to(device)
            with (
                gradient_checkpointing(model, enabled=config.gradient_checkpointing),
                residual_dropout(model, config.dropout),
            ):
                if auxiliary is None:
                    logp, auxiliary_loss = token_logprobs(model, batch.ids), weight.new_zeros(())
                else:
                    logp, *states = token_logprobs_and_states(model, batch.ids, auxiliary.block)
                    auxiliary_loss = auxiliary(*states, [targets[i] for i in batch.indices])
                loss = -(logp * weight).sum() / weight.sum() + auxiliary_loss
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            so_far.stepped(-float((logp.detach() * own).sum()), int(own.sum()), float(auxiliary_loss.detach()))
        validation_nll, _ = mean_nll(model, held_out)
        so_far.finished_epoch(validation_nll)
        if on_epoch:
            on_epoch(so_far.history[-1])
    model.load_state_dict(so_far.best_weights, strict=False)  # what was not trained is as it was
    model.eval()
    return so_far.history


def _stopped_falling(history: Sequence[Epoch], patience: int) -> bool:
    """Whether the held-out NLL has not been lower for `patience` epochs than it was before."""
    return bool(history) and history[-1].epoch - min(history, key=lambda e: e.validation_nll).epoch >= patience


def _fitting(dialogues: Sequence[Dialogue], chat: ChatFormat, limit: int) -> list[tuple[Dialogue, Example]]:
    pairs = zip(dialogues, examples_of(dialogues, chat), strict=True)
    fitting = [(dialogue, example) for dialogue, example in pairs if len(example.ids) <= limit]
    if not fitting:
        raise LogError(
            f"none of {len(dialogues)} dialogues fits the model's {limit} tokens",
            where="SFT",
            fix="raise max_length of the model",
        )
    return fitting
