"""What the agents do that were trained with a stand-in of graded severity: their first messages to real users.

    python bench/severity_acts.py RUN [--whole]

RUN is one of `understudy compare --severity`. By task and severity (base beside them): the shares of what the agent's first
three messages do, at T=1, read by the task's own rules (`act`): the kind alone, and of offers what they are worth to the
agent; with --whole also what is asked for, and how much of a draft is right. Severity 1 is the interactive arm.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import cast

from understudy.logs.read import read_dialogues
from understudy.report.read import read_run
from understudy.tasks import load_family
from understudy.tasks.base import ReadsActs
from understudy.types import Dialogue

TURNS, SHOWN = 3, 4


def acts(dialogues: Iterable[Dialogue], family: ReadsActs) -> Counter[str]:
    """How often each act is among the agent's first messages."""
    return Counter(
        family.act(dialogue.task, message)
        for dialogue in dialogues
        for message in islice((m for m in dialogue.messages if m.role == "agent"), TURNS)
    )


def kinds(said: Counter[str]) -> Counter[str]:
    """The same by kind; offers of different worth stay apart."""
    found: Counter[str] = Counter()
    for act, count in said.items():
        found[act if act.startswith("offer") else act.split()[0]] += count
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--whole", action="store_true", help="acts with what they are about")
    given = parser.parse_args()
    for cell in read_run(given.run).cells:
        family = load_family(cell.family)
        folder = given.run / "stages" / cell.family / f"seed{cell.seed}"
        graded = sorted(sweep.severity for sweep in cell.sweeps if sweep.severity is not None)
        arms = {
            "base": "base",
            **{f"{s:g}": f"interactive-severity-{s:g}" for s in graded if s < 1},
            "1": "interactive",
        }
        for name, arm in arms.items():
            said = acts(read_dialogues(folder / f"judge-{arm}" / "real-T1.jsonl"), cast(ReadsActs, family))
            counts = (said if given.whole else kinds(said)).most_common(SHOWN)
            shown = (f"{count / said.total():.0%} {act}" for act, count in counts)
            print(f"{cell.family} {cell.seed}, {name}: {'; '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
