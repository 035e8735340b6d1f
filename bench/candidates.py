"""How coherent an aligned user is by the number of candidates that it writes per reply, and what they cost.

    python bench/candidates.py RUN --task edit --seed 0 [--candidates 1 2 4 8] [--dialogues 300]

Takes the aligned user of a finished (or stopped) `compare` run of known users. Each user model talks with the scripted
agent of the logs about held-out goals; real users beside them. 1 candidate is SFT alone. 95% intervals over dialogues.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from understudy.config import config_from
from understudy.converse import converse
from understudy.evaluate.judge import appointments
from understudy.models.load import load_chat_model
from understudy.pipeline.cell import Cell
from understudy.pipeline.known_logs import known_family
from understudy.realism.coherence import coherence_table
from understudy.speaker import Speaker
from understudy.users.aligned import AlignedSpeaker
from understudy.users.population import PopulationSpeaker
from understudy.users.residual import ResidualEnergy
from understudy.users.script import ScriptSpeaker


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--task", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--candidates", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--dialogues", type=int, default=300)
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = config_from(json.loads((given.run / "manifest.json").read_text())["config"])
    cell, family = Cell(config, given.task, given.seed), known_family(given.task)
    folder = given.run / "stages" / cell.stage("user-aligned") / "model"
    model, residual = load_chat_model(folder), ResidualEnergy.load(folder) or ResidualEnergy({})
    print(json.dumps(json.loads((folder.parent / "history.json").read_text()).get("residual")))
    meetings = appointments(family, given.dialogues, cell.seed_of("candidates"), "candidates", held_out=True)

    def user(candidates: int) -> Speaker:
        sampling = config.sampling.model_copy(update={"width": given.dialogues})
        return AlignedSpeaker(model, residual, sampling, candidates=candidates)

    users = {"real users": PopulationSpeaker(family)} | {f"{n} candidates": user(n) for n in given.candidates}
    for name, speaker in users.items():
        start = time.perf_counter()
        held = converse(family, meetings, ScriptSpeaker(family), speaker, width=given.dialogues)
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
        for row in coherence_table(family, held.dialogues):
            counted = f"{row.violations} of {row.occasions}"
            print(f"    {row.kind}: {row.rate:.3f} [{row.low:.3f}, {row.high:.3f}] ({counted})", flush=True)


if __name__ == "__main__":
    main()
