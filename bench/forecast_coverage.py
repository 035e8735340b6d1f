"""Does the forecast's 90% interval hold the reward with real users, and is it narrower than knowing nothing?

    python bench/forecast_coverage.py RUN [--task elicit] [--seed 1] [--keep FILE]

RUN is a folder of `understudy compare` on tasks with known users. Each arm's agent is foretold from its cell's aligned user and
the logs that this user was not fitted on; base and interactive also from the prompted stand-in. The truth is the same agent
with the real users about the same tasks. Beside the forecast stand the simulated mean with its own 90% interval over dialogues,
and [0, 1]. The interval score (Gneiting and Raftery 2007, eq. 43) is the width plus 20 times the distance by which the truth is
missed; lower is better. `--keep` adds each cell to a file as it is finished, and leaves out those that are there.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from understudy.config import CompareConfig
from understudy.evaluate.forecast import LEVEL
from understudy.logs.read import read_dialogues
from understudy.models.load import load_chat_model
from understudy.models.speaker import model_speaker
from understudy.pipeline.forecasting import corrected, hold
from understudy.runs import RunFolder
from understudy.speaker import Speaker
from understudy.stats import binomial_interval, bootstrap_interval
from understudy.tasks import load_family
from understudy.users.load import user_speaker
from understudy.users.population import PopulationSpeaker, PromptedSpeaker

DIALOGUES, REPLIES, TRUE_DIALOGUES = 500, 1000, 2000
"""Half of what the command line takes by default, so that a seed takes half an hour."""
ALIGNED, STAND_IN = "aligned", "stand-in"
USERS = {"base": (ALIGNED, STAND_IN), "interactive": (ALIGNED, STAND_IN)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--task", action="append", help="default: the run's")
    parser.add_argument("--seed", type=int, action="append", help="default: the run's")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = CompareConfig.model_validate(RunFolder.open(given.run).manifest["config"])
    rows: list[dict[str, Any]] = []
    if given.keep is not None and given.keep.exists():
        rows = [json.loads(line) for line in given.keep.read_text().splitlines()]
    wanted = [
        (task, seed, arm, user)
        for seed in given.seed or config.seeds
        for task in given.task or config.families
        for arm in config.arms
        for user in USERS.get(arm, (ALIGNED,))
    ]
    found = {tuple(row["cell"]): row for row in rows}
    for cell in wanted:
        if cell not in found:
            found[cell] = foretell_cell(given.run, config, *cell)
            if given.keep is not None:
                with given.keep.open("a") as file:
                    file.write(json.dumps(found[cell]) + "\n")
        print_row(found[cell])
    summarise([found[cell] for cell in wanted])


def foretell_cell(run: Path, config: CompareConfig, task: str, seed: int, arm: str, user: str) -> dict[str, Any]:
    folder = run / "stages" / task / f"seed{seed}"
    family, sampling = load_family(task), config.sampling
    logged = [d for part in ("heldout", "agent") for d in read_dialogues(folder / "logs" / f"{part}.jsonl")]
    agent = model_speaker(load_chat_model(folder / arm / "model"), "agent", sampling)
    aligned = folder / "user-aligned" / "model"
    reader = load_chat_model(aligned)
    speaker: Speaker = PromptedSpeaker(family, 1.0, None)
    if user == ALIGNED:
        speaker = user_speaker(reader, aligned, sampling, candidates=config.residual.candidates)
    simulated = hold(family, agent, speaker, logged, DIALOGUES, "the user", sampling.width, seed).dialogues
    made = corrected(
        family, agent, speaker, reader, logged, simulated, replies=REPLIES, width=sampling.width, seed=seed
    )
    people = PopulationSpeaker(family)
    met = hold(family, agent, people, logged, TRUE_DIALOGUES, "real users", sampling.width, seed)
    alone = bootstrap_interval([d.outcome.reward for d in simulated], np.random.default_rng(seed), LEVEL)
    top, f = family.reward_max, made.foretold
    return {
        "cell": [task, seed, arm, user],
        "truth": float(np.mean([d.outcome.reward for d in met.dialogues])) / top,
        "forecast": [f.mean / top, f.low / top, f.high / top],
        "simulated": [alone.mean / top, alone.low / top, alone.high / top],
        "effects": [e.to_json() for e in f.effects],
        "unseen_from": f.unseen_from,
    }


def print_row(row: dict[str, Any]) -> None:
    task, seed, arm, user = row["cell"]
    shown = {name: "{:.3f} [{:.3f}, {:.3f}]".format(*row[name]) for name in ("simulated", "forecast")}
    held = "" if row["forecast"][1] <= row["truth"] <= row["forecast"][2] else "  missed"
    print(
        f"{task:7} {seed} {arm:12} {user:9} truth {row['truth']:.3f}  simulated {shown['simulated']}  "
        f"forecast {shown['forecast']}{held}",
        flush=True,
    )  # fmt: skip


def summarise(rows: list[dict[str, Any]]) -> None:
    print("\nof                       cells  coverage             width  interval score  error of the mean")
    for user in (ALIGNED, STAND_IN):
        cells = [row for row in rows if row["cell"][3] == user]
        for name in ("forecast", "simulated", "[0, 1]"):
            intervals = np.array([row.get(name, [0.5, 0.0, 1.0]) for row in cells])
            truth = np.array([row["truth"] for row in cells])
            mean, low, high = intervals.T
            held = (low <= truth) & (truth <= high)
            missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
            score = high - low + 2 / (1 - LEVEL) * missed
            print(
                f"{user:9} {name:12} {len(cells):7}  {binomial_interval(int(held.sum()), len(cells)).format(2):18}  "
                f"{(high - low).mean():.3f}  {score.mean():.3f}           {np.abs(mean - truth).mean():.3f}"
            )


if __name__ == "__main__":
    main()
