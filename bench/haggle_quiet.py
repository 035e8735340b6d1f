"""Why training with the aligned user leads `haggle` elsewhere than training with people: what it answers to a quiet agent.

    python bench/haggle_quiet.py RUN [--seeds 0 1 --dialogues 300]

The oracle learns not to make offers: it refuses, asks, says what it wishes for or nothing that is understood,
while people give way, and then accepts.
Shown is, by how many such messages the agent has written without any other, how often the user answers by an offer, what it
claims of its 10 points in it, and how often it leaves: in the logs, and with the oracle of RUN (`understudy compare`) as the
agent, people and the aligned user each as the user; 95% intervals, Wilson's of shares.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from understudy.config import load_config
from understudy.converse import Appointment, converse
from understudy.logs.read import read_dialogues
from understudy.models.load import load_chat_model
from understudy.models.speaker import model_speaker
from understudy.runs import stream
from understudy.speaker import Speaker
from understudy.stats import binomial_interval, bootstrap_interval
from understudy.tasks.haggle.family import Haggle
from understudy.types import Dialogue
from understudy.users.load import load_user
from understudy.users.population import PopulationSpeaker

QUIET = ("refuse", "ask", "wish", "unclear")
MOST = 4


def answers(dialogue: Dialogue, family: Haggle) -> Iterator[tuple[int, str]]:
    """(quiet messages of the agent so far, what the user's answer does), up to the agent's first other message."""
    quiet = 0
    for message, answer in zip(dialogue.messages, dialogue.messages[1:], strict=False):
        if message.role != "agent":
            continue
        if family.act(dialogue.task, message).split()[0] not in QUIET:
            return
        quiet += 1
        yield quiet, family.act(dialogue.task, answer)


def show(label: str, dialogues: Sequence[Dialogue], family: Haggle) -> None:
    found: dict[int, list[str]] = defaultdict(list)
    for dialogue in dialogues:
        for quiet, act in answers(dialogue, family):
            found[quiet].append(act)
    earned = np.array([dialogue.outcome.reward for dialogue in dialogues])
    reward = bootstrap_interval(earned, stream(0, "reward"))
    print(f"{label}: {len(dialogues)} dialogues, reward {reward.mean:.3f} [{reward.low:.3f}, {reward.high:.3f}]")
    for quiet in sorted(found)[:MOST]:
        acts = found[quiet]
        claims = [int(act.split(",")[0].split()[1]) for act in acts if act.startswith("offer")]
        offers, leaves = (
            binomial_interval(count, len(acts)) for count in (len(claims), sum(act.endswith("ends") for act in acts))
        )
        claimed = f"{np.mean(claims):.1f}" if claims else "-"
        print(
            f"  after {quiet}: {len(acts):4} answers, {offers.mean:.0%} [{offers.low:.0%}, {offers.high:.0%}] offers that "
            f"claim {claimed}, {leaves.mean:.0%} [{leaves.low:.0%}, {leaves.high:.0%}] leave",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--dialogues", type=int, default=300)
    given = parser.parse_args()
    torch.set_num_threads(2)
    family, config = Haggle(), load_config()
    for seed in given.seeds:
        cell = given.run / "stages" / "haggle" / f"seed{seed}"
        logs = [d for part in ("align", "agent", "heldout") for d in read_dialogues(cell / "logs" / f"{part}.jsonl")]
        show(f"seed {seed}, logs", logs, family)
        rng = stream(seed, "tasks")
        tasks = [family.sample_task(rng, f"met-{i}") for i in range(given.dialogues)]
        appointments = [Appointment(i, task, task.id, i) for i, task in enumerate(tasks)]
        users: dict[str, Speaker] = {
            "people": PopulationSpeaker(family),
            "the aligned user": load_user(
                cell / "user-aligned" / "model", config.sampling, candidates=config.residual.candidates
            ),
        }
        for name, user in users.items():
            agent = model_speaker(load_chat_model(cell / "oracle" / "model"), "agent", config.sampling)
            held = converse(family, appointments, agent, user, width=256)
            show(f"seed {seed}, the oracle with {name}", held.dialogues, family)


if __name__ == "__main__":
    main()
