"""What an agent that trains with the aligned user earns along the way: with that user, with another one, and with people.

    python bench/along_training.py --task haggle --seed 1001 [--set rl.kl_weight=0] [--every 25] [--average .95] [--keep DIR]

Makes the logs, the base, the aligned user and the unseen one (another seed and size, the same logs) as `compare` does, trains
the calibrated arm, and at every so many steps holds dialogues with goals that are in no log and no training dialogue, at T=1
and T=.5. Where the training user pays ever more and people pay less, the agent exploits what the user gets wrong
(overoptimization, arXiv 2210.10760); what the unseen user pays tells how much of it is in the logs. 95% bootstrap intervals
over dialogues, of one run of RL. `--keep` holds the stages and reuses those that are there; `--average 0.95` judges a moving
average of the weights as well. Pilot seeds, from 1000 on, are not among those of a comparison.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

import torch
from user_coherence import run

from understudy.config import load_config
from understudy.evaluate.judge import appointments, hold, score
from understudy.models.adapters import trainable
from understudy.models.chat_model import ChatModel
from understudy.pipeline.cell import ALIGNED, UNSEEN, Cell
from understudy.pipeline.plan import plan
from understudy.pipeline.training import seed_of_tasks
from understudy.scheduler import StageContext
from understudy.train.loop import train
from understudy.train.rollouts import ConversationRollouts

TEMPERATURES = (1.0, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--set", action="append", default=[], help="override of a config key")
    parser.add_argument("--every", type=int, default=25, help="steps between judgements")
    parser.add_argument("--dialogues", type=int, default=400)
    parser.add_argument("--average", type=float, help="decay per step of a moving average of the weights")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    fixed = [f"families={given.task}", f"seeds={given.seed}", "arms=base,calibrated"]
    cell = Cell(load_config(overrides=[*fixed, *given.set]), given.task, given.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        stages = {stage.name: stage for stage in plan(cell.config)}
        for name in ("base", f"user-{ALIGNED}", f"user-{UNSEEN}"):
            run(stages, cell.stage(name), folder)
        # A stage that may read all of them.
        context = StageContext(stages[cell.stage("judge-calibrated")], folder, Path(temporary))
        Along(cell, context, given.dialogues, given.average).train(Path(temporary), given.every)


class Along:
    """The training of one agent, which is judged in between."""

    def __init__(self, cell: Cell, context: StageContext, dialogues: int, decay: float | None) -> None:
        self.cell, self.decay = cell, decay
        self.policy, self.judged = (cell.load_agent(cell.stage("base"), context) for _ in range(2))
        self.speaker, self.judged_speaker = cell.agent_speaker(self.policy), cell.agent_speaker(self.judged)
        self.users = {label: cell.user(label, context) for label in (ALIGNED, UNSEEN, cell.people)}
        self.family = cell.judging_family()
        held_out = cell.goals(held_out=True)
        self.meetings = appointments(self.family, dialogues, cell.seed_of("along"), "along", held_out=held_out)
        self.average: dict[str, torch.Tensor] = {}

    def train(self, scratch: Path, every: int) -> None:
        source = ConversationRollouts(
            self.cell.training_family(),
            self.users[ALIGNED],
            seed=seed_of_tasks(self.cell, 0),
            width=self.cell.config.sampling.width,
            held_out=self.cell.goals(held_out=False),
        )
        on_step = partial(self.on_step, every)
        train(self.policy, self.speaker, source, self.cell.rl("calibrated"), scratch=scratch, on_step=on_step)

    def on_step(self, every: int, step: int, figures: dict[str, float]) -> None:
        now = {name: p.detach().clone() for name, p in trainable(self.policy.model).items()}
        if self.decay is not None:
            for name, value in now.items():
                self.average[name] = value.lerp(self.average.get(name, value), self.decay)
        if (step + 1) % every == 0:
            self.judge(f"{step + 1}", now)
            if self.decay is not None:
                self.judge(f"{step + 1}, averaged", self.average)

    def judge(self, name: str, weights: dict[str, torch.Tensor]) -> None:
        give(self.judged, weights)
        self.judged_speaker.sampler.load_weights(self.judged.model)
        for temperature in TEMPERATURES:
            told = []
            for label, user in self.users.items():
                width = self.cell.config.sampling.width
                held = hold(self.family, self.judged_speaker, user, self.meetings, temperature, width=width)
                found = score(held, temperature, self.cell.seed_of("along", label))
                told.append(
                    f"{label} {found.reward:.3f} [{found.low:.3f}, {found.high:.3f}], left {found.walked_out_share:.0%}"
                )
            print(f"{self.cell.name}, step {name}, T={temperature:g}: {'; '.join(told)}", flush=True)


def give(model: ChatModel, weights: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in trainable(model.model).items():
            parameter.copy_(weights[name])


if __name__ == "__main__":
    main()
