"""Whether the models of `negotiate` can read from people's words what was agreed.

    python bench/negotiate_selection.py RUN --seed 1000

RUN holds a cell of `understudy compare --task negotiate`. In held-out dialogues, up to people's own selection, each model goes
on in their place: how often it selects, and how often what they did. 95% Wilson intervals over the selections (one a dialogue).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from understudy.config import SamplingConfig
from understudy.logs.read import read_dialogues
from understudy.models.load import load_chat_model
from understudy.models.speaker import model_speaker
from understudy.speaker import Request
from understudy.stats import binomial_interval
from understudy.types import Dialogue, Message, Role

SELECTION = "<selection>"
SIDES: dict[str, Role] = {"base": "agent", "user-aligned": "user", "user-referee": "user"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cell = given.run / "stages" / "negotiate" / f"seed{given.seed}"
    held_out = read_dialogues(cell / "logs" / "heldout.jsonl")
    for stage, side in SIDES.items():
        for folder in sorted((cell / stage).glob("model*")):
            for temperature in (0.0, 1.0):
                measure(f"{stage} {folder.name}", folder, side, held_out, temperature)


def measure(name: str, folder: Path, side: Role, held_out: list[Dialogue], temperature: float) -> None:
    speaker = model_speaker(load_chat_model(folder), side, SamplingConfig(width=64))
    speaker.temperature = temperature
    chosen = [(d, i) for d in held_out for i, m in enumerate(d.messages) if m.role == side and agreed(m)]
    selects = same = 0
    for key, (dialogue, position) in enumerate(chosen):
        task = dialogue.task
        said = dialogue.messages[:position]
        (answer,) = speaker.reply([Request(key, side, task.prompt(side), said, seed=key)])
        speaker.finish(key)
        if isinstance(answer, Message) and answer.text.startswith(SELECTION):
            selects += 1
            same += answer.text.split() == dialogue.messages[position].text.split()
    n = len(chosen)
    print(
        f"{name:20} temperature {temperature:.0f}: selects {binomial_interval(selects, n).format(2)}, "
        f"as people did {binomial_interval(same, n).format(2)} ({same} of {n})",
        flush=True,
    )


def agreed(message: Message) -> bool:
    return message.text.startswith(SELECTION) and "none" not in message.text


if __name__ == "__main__":
    main()
