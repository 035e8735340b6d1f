"""How often an aligned user contradicts itself, and when it leaves, in logged contexts of persons that it has not seen.

    python bench/user_coherence.py --task edit --seed 1000 [--set sft.comparison_weight=0] [--contexts 3000] [--keep DIR]

Makes the logs, fits the user by SFT as `compare` does, and lets it answer in people's place. The quickest way to see what a
change of the user does, without training any agent. Pilot seeds from 1000 on are not among those of a comparison; what is
tried on them may be chosen by them. 95% intervals over dialogues. `--keep` holds the stages and reuses those that are there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path

import torch

from understudy.align.sft import validation_split
from understudy.config import load_config
from understudy.logs.read import read_dialogues
from understudy.models.load import load_chat_model
from understudy.models.speaker import model_speaker
from understudy.one_step import one_step
from understudy.pipeline.cell import ALIGNED, Cell
from understudy.pipeline.plan import plan
from understudy.scheduler import Stage, StageContext
from understudy.stats import clustered_share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--set", action="append", default=[], help="override of a config key")
    parser.add_argument("--contexts", type=int, default=3000)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    # The model alone: without candidates there is no energy.
    fixed = [f"families={given.task}", f"seeds={given.seed}", "arms=base", "residual.candidates=1"]
    cell = Cell(load_config(overrides=[*fixed, *given.set]), given.task, given.seed)
    with tempfile.TemporaryDirectory() as temporary:
        measure(cell, given.keep or Path(temporary), given.contexts)


def measure(cell: Cell, folder: Path, contexts: int) -> None:
    stages = {stage.name: stage for stage in plan(cell.config)}
    aligned = run(stages, cell.stage(f"user-{ALIGNED}"), folder)
    epochs = json.loads((aligned / "history.json").read_text())["epochs"]
    best = min(epochs, key=lambda epoch: float(epoch["validation_nll"]))
    print(f"held-out NLL {best['validation_nll']:.3f} nats per token after {best['step']} steps", flush=True)
    logs = read_dialogues(folder / "stages" / cell.stage("logs") / "align.jsonl")
    _, held_out = validation_split(logs, cell.config.sft.validation_share, cell.seed_of("fit", ALIGNED))
    family, sampling = cell.training_family(), cell.config.sampling
    # Per kind and dialogue: occasions and contradictions in replies of the model alone, not in what was logged before.
    counts: dict[str, dict[str, list[int]]] = {}
    # By the agent's messages so far: contexts, and how many of them people and the model ended.
    endings: dict[int, list[int]] = {}
    speaker = model_speaker(load_chat_model(aligned / "model"), "user", sampling)
    seed = cell.seed_of("coherence")
    for step in one_step(speaker, "user", held_out, contexts=contexts, width=sampling.width, seed=seed):
        dialogue, before = step.dialogue, step.before
        ended = endings.setdefault(sum(m.role == "agent" for m in before), [0, 0, 0])
        for place, one in enumerate((True, step.logged.end, step.message.end)):
            ended[place] += one
        checks = Counter(family.coherence(dialogue.task, (*before, step.message)))
        for check, times in (checks - Counter(family.coherence(dialogue.task, before))).items():
            seen = counts.setdefault(check.kind, {}).setdefault(dialogue.task.id, [0, 0])
            seen[0] += times
            seen[1] += times * check.violated
    for kind, per_dialogue in sorted(counts.items()):
        occasions, violations = zip(*per_dialogue.values(), strict=True)
        share = clustered_share(violations, occasions)
        counted = f"{sum(violations)} of {sum(occasions)}"
        print(f"    {kind}: {share.mean:.3f} [{share.low:.3f}, {share.high:.3f}] ({counted})", flush=True)
    print("ends the dialogue, by the agent's messages so far:")
    for turn, (n, by_people, by_model) in sorted(endings.items()):
        print(f"    {turn}: people {by_people / n:.3f}, model {by_model / n:.3f} ({n} contexts)", flush=True)


def run(stages: dict[str, Stage], name: str, folder: Path) -> Path:
    """The folder of a finished stage; what it needs is run first."""
    output = folder / "stages" / name
    done = output / "done"
    if not done.exists():
        for needed in stages[name].needs:
            run(stages, needed, folder)
        output.mkdir(parents=True, exist_ok=True)
        stages[name].function()(StageContext(stages[name], folder, output), **stages[name].kwargs)
        done.touch()
    return output


if __name__ == "__main__":
    main()
