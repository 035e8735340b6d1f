"""Whether the logs of `edit` let a user model guess what is wrong with a draft without reading it.

    python bench/edit_told.py [--seeds 0 1 2 3 4]

In each seed's logs: how often a draft gets a slot (or the register) wrong that the user has given a
value of before, and one that it has not; 95% intervals with dialogues as clusters.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from understudy.config import CompareConfig
from understudy.pipeline.cell import Cell
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.stats import Interval, clustered_share
from understudy.tasks.edit.population import faults
from understudy.tasks.edit.reading import read_agent, read_user
from understudy.tasks.edit.words import REGISTER, SLOTS
from understudy.types import Dialogue


def wrong_shares(dialogues: Sequence[Dialogue]) -> dict[str, Interval]:
    """Share of wrong slots among those told before and those not, over all drafts."""
    counts = [_count(dialogue) for dialogue in dialogues]
    return {
        name: clustered_share([c[told][1] for c in counts], [sum(c[told]) for c in counts])
        for name, told in (("told", True), ("not told", False))
    }


def _count(dialogue: Dialogue) -> dict[bool, list[int]]:
    """By whether a slot was told before: how often drafts have it right and wrong."""
    told: set[str] = set()
    counts = {True: [0, 0], False: [0, 0]}
    for message in dialogue.messages:
        if message.role == "user":
            told |= {slot for slot, _ in read_user(message.text).values}
        elif (draft := read_agent(message.text).draft) is not None:
            wrong = faults(draft, dialogue.task.goal)
            for slot in (*SLOTS, REGISTER):
                counts[slot in told][slot in wrong] += 1
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    config = CompareConfig()
    logs = config.logs
    for seed in parser.parse_args().seeds:
        cell = Cell(config, "edit", seed)
        dialogues = known_logs(known_family("edit"), logs.dialogues, logs.people, cell.seed_of("logs"))
        found = wrong_shares(dialogues)
        cells = (f"{name} {i.mean:.3f} [{i.low:.3f}, {i.high:.3f}] of {i.n:,}" for name, i in found.items())
        print(f"seed {seed}: wrong where {'; '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
