"""The stage that aligns a user on the logs: SFT, from the start that gives the more coherent user, then its residual energy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.align.replies import own_replies
from understudy.align.residual import fit_residual
from understudy.align.sft import Epoch, fit, texts_of, validation_split
from understudy.config import ModelConfig
from understudy.logs.read import read_dialogues
from understudy.models.load import ChatModel
from understudy.models.tiny import make_tiny
from understudy.pipeline.cell import Cell
from understudy.pipeline.fitting import sft_progress
from understudy.realism.coherence import contradiction_rate
from understudy.runs import write_json
from understudy.scheduler import StageContext
from understudy.types import Dialogue

_CONTEXTS = 3000
"""Most contexts of held-out persons in which a user's coherence is measured."""


@dataclass(frozen=True)
class _Tried:
    """A user as fine-tuned from one start; `contradictions` as `contradiction_rate` has it, None where nothing is chosen."""

    start: str
    chat_model: ChatModel
    epochs: list[Epoch]
    contradictions: float | None

    @property
    def order(self) -> tuple[float, float]:
        nll = min(epoch.validation_nll for epoch in self.epochs)
        return (math.inf if self.contradictions is None else self.contradictions, nll)

    def record(self) -> dict[str, float | None]:
        return {"contradictions": self.contradictions, "validation_nll": self.order[1]}


def align_user(
    context: StageContext,
    cell: Cell,
    *,
    part: str,
    model: ModelConfig,
    label: str,
    copying: str | None = None,
    dialogues: int | None = None,
) -> None:
    """Align a fresh user model on one part of the logs: `model/` (its residual energy beside it), `history.json`.

    Where it can start from scratch and from a model that has learned to copy, both are fine-tuned, and the one is kept
    that contradicts its goal and the logs less often in people's place, in contexts of persons that neither was fine-tuned
    on; where the family checks no coherence, the one with the lower held-out NLL.

    Args:
        part: of the logs.
        copying: the stage with the model that has learned to copy; None to start from scratch alone.
        dialogues: how many of the part's dialogues to use; all where None.
    """
    logs = read_dialogues(context.input(cell.stage("logs")) / f"{part}.jsonl")
    if dialogues is not None:
        logs = logs[:dialogues]
    starts: dict[str, Path | None] = {"scratch": None}
    if copying is not None:
        starts["copying"] = context.input(copying) / "model"
    sft, seed = cell.config.sft, cell.seed_of("fit", label)
    train, validation = validation_split(logs, sft.validation_share, seed)
    tried = []
    for name, start in starts.items():
        chat_model = make_tiny(texts_of(train, "user"), model, seed % 2**31, start)
        epochs = fit(chat_model, "user", train, validation, sft, seed=seed, on_epoch=sft_progress(context, sft))
        contradictions = _contradictions(cell, chat_model, validation, label) if len(starts) > 1 else None
        tried.append(_Tried(name, chat_model, epochs, contradictions))
    kept = min(tried, key=lambda user: user.order)
    kept.chat_model.save(context.output / "model")
    record: dict[str, object] = {
        "epochs": [epoch.record() for epoch in kept.epochs],
        "parameters": kept.chat_model.parameters,
        "dialogues": len(logs),
        "start": kept.start,
        "starts": {user.start: user.record() for user in tried},
    }
    if cell.config.residual.candidates > 1:
        residual, residual_fit = fit_residual(
            kept.chat_model,
            logs,
            cell.config.residual,
            max_message_tokens=cell.config.sampling.max_message_tokens,
            temperature=cell.config.sampling.temperature,
            seed=cell.seed_of("residual", label),
            on_contexts=context.progress,
        )
        if residual.weights:  # else there is nothing to weigh candidates by, and the user is sampled as it is
            residual.save(context.output / "model")
        record["residual"] = residual_fit.record()
    write_json(context.output / "history.json", record)


def _contradictions(cell: Cell, chat_model: ChatModel, dialogues: Sequence[Dialogue], label: str) -> float | None:
    replies = own_replies(
        chat_model,
        dialogues,
        contexts=_CONTEXTS,
        max_message_tokens=cell.config.sampling.max_message_tokens,
        temperature=cell.config.sampling.temperature,
        seed=cell.seed_of("coherence", label),
    )
    return contradiction_rate(cell.training_family(), replies)
