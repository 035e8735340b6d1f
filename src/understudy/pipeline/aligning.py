"""The stage that aligns a user on the logs: SFT, then its residual energy, and what it has learned to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from understudy.align.residual import fit_residual
from understudy.align.sft import texts_of, validation_split
from understudy.align.support import fit_support
from understudy.config import ModelConfig
from understudy.logs.read import conversations, read_dialogues
from understudy.models.start import start_model
from understudy.pipeline.cell import MET, Cell
from understudy.pipeline.fitting import fit_in
from understudy.runs import write_json
from understudy.scheduler import StageContext


def align_user(
    context: StageContext,
    cell: Cell,
    *,
    part: str,
    model: ModelConfig,
    label: str,
    start: str | None = None,
    dialogues: int | None = None,
    held_out: str | None = None,
    judges: bool = False,
    met: Sequence[str] = (),
) -> None:
    """Align a fresh user model on one part of the logs: `model/` (residual energy and support beside it), `history.json`.

    Args:
        part: of the logs.
        label: names its seeds; users of one label differ in what they are fitted on alone.
        start: the stage with the model to start from; None for scratch.
        dialogues: how many of the part's dialogues to use; all where None.
        held_out: names the persons who choose the epoch, the same for every user with the same name; `label` where None.
        judges: whether it is to judge agents, not to train them: it then has a likelihood, so no residual energy, and answers
            whatever they say.
        met: stages with dialogues of people and an agent in training, to fit on beside the logs.
    """
    logs = read_dialogues(context.input(cell.stage("logs")) / f"{part}.jsonl")
    if dialogues is not None:
        logs = logs[:dialogues]
    sft, seed = cell.config.sft.of_user(model), cell.seed_of("fit", label)
    persons = cell.seed_of("fit", held_out or label)
    train, validation = validation_split(logs, sft.validation_share, persons)
    for stage in met:  # each by itself, so that of the logs the same persons choose the epoch as without them
        dialogues_met = read_dialogues(context.input(stage) / MET)
        more = validation_split(dialogues_met, sft.validation_share, persons)
        train, validation = [*train, *more[0]], [*validation, *more[1]]
        logs = [*logs, *dialogues_met]
    train = cell.enlarged(train)
    folder = None if start is None else context.input(start) / "model"
    chat_model = start_model(texts_of(train, "user"), model, seed % 2**31, folder)
    epochs = fit_in(context, chat_model, "user", train, validation, sft, seed)
    chat_model.save(context.output / "model")
    record: dict[str, object] = {
        "epochs": [epoch.record() for epoch in epochs],
        "parameters": chat_model.parameters,
        "dialogues": conversations(logs),
    }
    if not judges and cell.config.residual.candidates > 1:
        residual, residual_fit = fit_residual(
            chat_model,
            logs,
            cell.config.residual,
            max_message_tokens=cell.config.sampling.max_message_tokens,
            temperature=cell.config.sampling.temperature,
            seed=cell.seed_of("residual", label),
            width=min(256, cell.config.sampling.width),
            on_contexts=context.progress,
        )
        if residual.weights:  # else there is nothing to weigh candidates by, and the user is sampled as it is
            residual.save(context.output / "model")
        record["residual"] = residual_fit.record()
    if not judges and (quantile := cell.config.support.quantile) is not None:
        support = fit_support(chat_model, quantile, logs=logs, held_out=validation, batch_tokens=sft.batch_tokens)
        support.save(context.output / "model")
        record["support"] = asdict(support)
    write_json(context.output / "history.json", record)
