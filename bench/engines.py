"""The local loop and TRL as the engine: seconds per dialogue beside each other, and whether they learn alike.

    python bench/engines.py RUN --task elicit --seed 0 [--steps 30] [--repetitions 3]

RUN holds the base agent of a cell with known users (a folder of `understudy compare`). Both engines train it with the real
users (the oracle arm) from the same tasks, one engine after the other in each repetition, whose tasks and dialogues are its
own. Times are wall-clock, by dialogue and as medians over steps, without sampling and with it. Rewards are means over the first
and the last third of the steps; intervals are Student's, over repetitions.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from understudy.config import CompareConfig
from understudy.models.load import load_chat_model
from understudy.models.speaker import model_speaker
from understudy.runs import RunFolder
from understudy.stats import t_interval
from understudy.tasks import load_family
from understudy.train.loop import train
from understudy.train.rollouts import ConversationRollouts
from understudy.train.trl_engine import train_with_trl
from understudy.users.population import PopulationSpeaker

ENGINES = {"local": train, "trl": train_with_trl}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--task", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repetitions", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = CompareConfig.model_validate(RunFolder.open(given.run).manifest["config"])
    base = given.run / "stages" / given.task / f"seed{given.seed}" / "base" / "model"
    curves: dict[str, list[list[dict[str, Any]]]] = {name: [] for name in ENGINES}
    for repetition in range(given.repetitions):
        for name in ENGINES:
            curves[name].append(curve(name, base, config, given.task, given.steps, repetition))
            last = curves[name][-1]
            third = max(1, given.steps // 3)
            print(
                f"{name:6} repetition {repetition}: reward {mean(last[:third], 'reward'):.3f} -> "
                f"{mean(last[-third:], 'reward'):.3f}, {mean(last, 'dialogues'):.0f} dialogues a step, "
                f"{1000 * per_dialogue(last, learning=True):.2f} ms each to learn from, "
                f"{1000 * per_dialogue(last, learning=False):.2f} ms in all",
                flush=True,
            )
    third = max(1, given.steps // 3)
    apart = [
        mean(there[-third:], "reward") - mean(here[-third:], "reward")
        for here, there in zip(curves["local"], curves["trl"], strict=True)
    ]
    print(f"reward of the last third, trl less local: {t_interval(apart).format()}")
    for learning, what in ((True, "learning"), (False, "in all")):
        ratios = [
            per_dialogue(there, learning=learning) / per_dialogue(here, learning=learning)
            for here, there in zip(curves["local"], curves["trl"], strict=True)
        ]
        print(f"time per dialogue, {what}, trl over local: {t_interval(ratios).format(2)}")


def curve(name: str, base: Path, config: CompareConfig, task: str, steps: int, repetition: int) -> list[dict[str, Any]]:
    policy = load_chat_model(base)
    speaker = model_speaker(policy, "agent", config.sampling)
    family = load_family(task)
    source = ConversationRollouts(
        family, PopulationSpeaker(family), seed=repetition, width=config.sampling.width, held_out=False
    )
    # As many tasks in every step of both.
    rl = config.rl.model_copy(update={"steps": steps, "min_groups": 10, "max_groups": 10, "checkpoint_every": steps})
    with tempfile.TemporaryDirectory() as scratch:
        ENGINES[name](policy, speaker, source, rl, scratch=Path(scratch))
        rows = [json.loads(line) for line in (Path(scratch) / "metrics.jsonl").read_text().splitlines()]
    return [row | {"dialogues": row["groups"] * rl.group_size - row["failed"]} for row in rows]


def mean(rows: list[dict[str, Any]], key: str) -> float:
    return float(np.mean([row[key] for row in rows]))


def per_dialogue(rows: list[dict[str, Any]], *, learning: bool) -> float:
    seconds = [row["seconds"] - (row["sampling_seconds"] if learning else 0.0) for row in rows]
    return float(np.median([s / row["dialogues"] for s, row in zip(seconds, rows, strict=True)]))


if __name__ == "__main__":
    main()
