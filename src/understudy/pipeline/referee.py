"""The stage that makes the referee: of several user models, those that foretell people best."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from understudy.align.sft import validation_split
from understudy.logs.read import conversations, read_dialogues
from understudy.models.load import load_chat_model
from understudy.pipeline.cell import REFEREE, REFEREE_LOGS, Cell
from understudy.realism.perplexity import held_out_perplexity
from understudy.runs import write_json
from understudy.scheduler import StageContext


def choose_referee(context: StageContext, cell: Cell, *, candidates: tuple[str, ...]) -> None:
    """Keep the members of the ensemble: `model-0/`, .. and `history.json` with every candidate's held-out likelihood.

    Args:
        candidates: stages of user models, fitted on the referee's part of the logs with the same persons held out; the
            likelihood of these persons' words chooses.
    """
    logs = read_dialogues(context.input(cell.stage("logs")) / f"{REFEREE_LOGS}.jsonl")
    _, held_out = validation_split(logs, cell.config.sft.validation_share, cell.seed_of("fit", REFEREE))
    folders = [context.input(stage) for stage in candidates]
    bits = {}
    trusted = cell.config.referee_model.remote_code
    for done, folder in enumerate(folders, 1):
        candidate = load_chat_model(folder / "model", remote_code=trusted)
        found = held_out_perplexity([candidate], "user", held_out)
        bits[folder.name] = found.bits_per_character
        context.progress(done, len(folders), bits_per_character=found.bits_per_character)
    kept = sorted(folders, key=lambda folder: bits[folder.name])[: cell.config.referee.members]
    for place, folder in enumerate(kept):
        shutil.copytree(folder / "model", context.output / f"model-{place}")
    write_json(
        context.output / "history.json",
        {
            "held_out_bits_per_character": bits,
            "members": [folder.name for folder in kept],
            "parameters": sum(_read(folder / "history.json")["parameters"] for folder in kept),
            "dialogues": conversations(logs),
            "candidates_cpu_seconds": sum(_read(folder / "cost.json")["cpu_seconds"] for folder in folders),
        },
    )


def _read(path: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads(path.read_text())
    return found
