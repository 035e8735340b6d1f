"""Stages that make the logs and fit agents on them."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.align.copying import learn_copying
from understudy.align.sft import fit, texts_of, validation_split
from understudy.align.sft_state import Epoch
from understudy.config import ModelConfig, SFTConfig
from understudy.logs.read import conversations, read_dialogues, write_dialogues
from understudy.logs.split import split_by_person
from understudy.models.chat_model import ChatModel
from understudy.models.start import start_model
from understudy.models.tiny import new_model
from understudy.pipeline.cell import Cell, copying_stage
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.pipeline.log_parts import split_logs
from understudy.pipeline.peoples_logs import read_peoples_logs
from understudy.runs import write_json
from understudy.scheduler import StageContext
from understudy.types import Dialogue, Role


def teach_copying(context: StageContext, *, model: ModelConfig, steps: int, seed: int) -> None:
    """A model that has seen no dialogue but can copy: `model/`, `copying.json`. What has its shape starts from it."""
    new = new_model(model, seed)
    nll = learn_copying(
        new,
        steps,
        seed=seed,
        on_step=lambda step, nll: context.progress(step, steps, nll=nll) if step % 20 == 0 else None,
    )
    new.save_pretrained(context.output / "model")
    write_json(context.output / "copying.json", {"steps": steps, "nll": nll})


def make_logs(context: StageContext, cell: Cell) -> None:
    """Logs split by person: `align.jsonl`, `agent.jsonl`, `heldout.jsonl` (and `referee.jsonl` for a corpus).

    `summary.json` counts them, and what was left out of people's dialogues as it is about tasks kept for judging.
    """
    left_out = {}
    if cell.config.logs.path is not None:
        given = read_peoples_logs(cell)
        parts, left_out = given.parts, {"left_out": given.left_out}
    else:
        parts = _known_logs(context, cell) if cell.known else _corpus(cell)
    for name, dialogues in parts.items():
        write_dialogues(context.output / f"{name}.jsonl", dialogues)
    counts = {name: conversations(dialogues) for name, dialogues in parts.items()}
    write_json(context.output / "summary.json", {**counts, **left_out})


def _known_logs(context: StageContext, cell: Cell) -> dict[str, list[Dialogue]]:
    logs = cell.config.logs
    dialogues = known_logs(
        known_family(cell.family_name, cell.config.data),
        logs.dialogues,
        logs.people,
        cell.seed_of("logs"),
        on_finished=lambda n: context.progress(n, logs.dialogues) if n % 100 == 0 else None,
    )
    return split_logs(dialogues, logs, cell.seed_of("split"))


def _corpus(cell: Cell) -> dict[str, list[Dialogue]]:
    training, validation = cell.corpus_family().corpus(cell.seed_of("sides"))
    shares = {"align": 0.4, "agent": 0.25, "referee": 0.35}
    return {**split_by_person(training, shares, cell.seed_of("split")), "heldout": validation}


def fit_base(context: StageContext, cell: Cell) -> None:
    """The agent that every arm starts from, by SFT on its part of the logs or as it comes: `model/`, `history.json`."""
    logs = read_dialogues(context.input(cell.stage("logs")) / "agent.jsonl")
    sft, seed = cell.config.sft, cell.seed_of("fit", "base")
    train, validation = validation_split(logs, sft.validation_share, seed)
    train = cell.enlarged(train)
    start = None if cell.config.model.base else context.input(copying_stage(cell.config.model)) / "model"
    chat_model = start_model(texts_of(train, "agent"), cell.config.model, seed % 2**31, start)
    history = fit_in(context, chat_model, "agent", train, validation, sft, seed) if sft.fit_agent else []
    chat_model.save(context.output / "model")
    write_json(
        context.output / "history.json",
        {
            "epochs": [epoch.record() for epoch in history],
            "parameters": chat_model.parameters,
            "dialogues": conversations(logs) if sft.fit_agent else 0,
        },
    )


def fit_further(context: StageContext, cell: Cell) -> None:
    """The control: the base with more SFT at a lower learning rate, so that a gain of RL is not just more training."""
    logs = read_dialogues(context.input(cell.stage("logs")) / "agent.jsonl")
    seed = cell.seed_of("fit", "control")
    train, validation = validation_split(logs, cell.config.sft.validation_share, cell.seed_of("fit", "base"))
    train = cell.enlarged(train)
    chat_model = cell.load_agent(cell.stage("base"), context)
    sft = cell.config.sft.model_copy(update={"learning_rate": cell.config.sft.learning_rate / 4})
    history = fit_in(context, chat_model, "agent", train, validation, sft, seed)
    chat_model.save(context.output / "model")
    write_json(context.output / "history.json", {"epochs": [epoch.record() for epoch in history]})


def fit_in(
    context: StageContext,
    chat_model: ChatModel,
    side: Role,
    train: Sequence[Dialogue],
    validation: Sequence[Dialogue],
    sft: SFTConfig,
    seed: int,
) -> list[Epoch]:
    """`fit` as a stage does it: told of on the bars, and gone on with after a kill."""

    def report(epoch: Epoch) -> None:
        context.progress(epoch.step, sft.steps, nll=epoch.validation_nll)

    return fit(chat_model, side, train, validation, sft, seed=seed, scratch=context.scratch, on_epoch=report)
