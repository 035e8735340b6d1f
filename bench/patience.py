"""When people and the aligned user leave an agent of `elicit`, by the patience that its messages have cost.

    python bench/patience.py RUN [--seed 0] [--arm calibrated]

RUN is a run folder of `compare` with its dialogues. People's patience is the population's own rule (`population.cost`): 1 for a
message, 2 if it is vague, asks for everything, asks only for what was told, or asks again whether anything should change. Told
of the training user's dialogues (T=1) and of real users' (T=1 and tuned decoding): shares of contexts that are left, with
Wilson's 95% interval (a dialogue has at most one context per cost), and how often the agent asks for what it was told.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from understudy.logs.read import read_dialogues
from understudy.stats import binomial_interval
from understudy.tasks.elicit.population import cost
from understudy.tasks.elicit.reading import read_agent, read_user
from understudy.types import Dialogue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arm", default="calibrated")
    given = parser.parse_args()
    folder = given.run / "stages" / "elicit" / f"seed{given.seed}" / f"judge-{given.arm}"
    sets = {"training user, T=1": "training", "real users, T=1": "real-T1", "real users, tuned": "real-tuned"}
    for name, file in sets.items():
        path = folder / f"{file}.jsonl"
        if path.exists():  # where a decoding is another one's, its dialogues are too
            show(name, read_dialogues(path))


def show(name: str, dialogues: Sequence[Dialogue]) -> None:
    seen: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    told_again = 0
    for dialogue in dialogues:
        told: frozenset[str] = frozenset()
        spent, asked_changes = 0, False
        for message in dialogue.messages:
            if message.role == "user":
                if spent:
                    seen[spent][0] += 1
                    seen[spent][1] += message.end
                told |= read_user(message.text).values.keys()
                continue
            act = read_agent(message.text)
            spent += cost(act, told, asked_changes)
            told_again += act.kind == "slots" and told.issuperset(act.slots)
            asked_changes |= act.kind == "change"
    print(f"{name}: {len(dialogues)} dialogues, asks {told_again / len(dialogues):.2f} times for what was told")
    for spent, (contexts, left) in sorted(seen.items()):
        share = binomial_interval(left, contexts)
        print(f"    {spent}: leaves {share.mean:.2f} [{share.low:.2f}, {share.high:.2f}] ({left} of {contexts})")


if __name__ == "__main__":
    main()
