"""Why training on logged contexts is enough for `edit` at tuned decoding: what each arm's agent does with real users.

    python bench/edit_drafting.py RUN [RUN ...]

RUN is a run of `understudy compare` with the task `edit`. By arm, at T=1 and at tuned decoding, over all dialogues of the run's
seeds: the share of the agent's messages that are drafts, the shares of what users have told so far, and have not, that drafts
get wrong, and the share of drafts that only repeat the last one; 95% intervals with dialogues as clusters. Beside them what
the logs' own agent does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from understudy.logs.read import read_dialogues
from understudy.stats import clustered_share
from understudy.tasks.edit.population import faults
from understudy.tasks.edit.reading import read_agent, read_user
from understudy.tasks.edit.words import REGISTER, SLOTS
from understudy.types import Dialogue

ARMS = ("base", "control", "static", "interactive", "calibrated", "oracle")
COUNTED = ("messages that draft", "told, wrong", "not told, wrong", "drafts that repeat")


def count(dialogue: Dialogue) -> list[tuple[int, int]]:
    """Of one dialogue, in the order of `COUNTED`: how many, of how many."""
    told: set[str] = set()
    messages, drafts, repeats = 0, 0, 0
    wrong = {True: [0, 0], False: [0, 0]}
    last = ""
    for message in dialogue.messages:
        if message.role == "user":
            told |= {slot for slot, _ in read_user(message.text).values}
            continue
        messages += 1
        draft = read_agent(message.text).draft
        if draft is None:
            continue
        repeats += drafts > 0 and draft.text == last
        drafts, last = drafts + 1, draft.text
        found = faults(draft, dialogue.task.goal)
        for slot in (*SLOTS, REGISTER):
            wrong[slot in told][0] += slot in found
            wrong[slot in told][1] += 1
    shares = [(drafts, messages), *((bad, seen) for bad, seen in wrong.values()), (repeats, max(drafts - 1, 0))]
    return shares


def show(label: str, dialogues: Sequence[Dialogue]) -> None:
    counts = [count(dialogue) for dialogue in dialogues]
    cells = []
    for i, name in enumerate(COUNTED):
        share = clustered_share([c[i][0] for c in counts], [c[i][1] for c in counts])
        cells.append(f"{name} {share.mean:.3f} [{share.low:.3f}, {share.high:.3f}]")
    print(f"{label}: {len(dialogues):,} dialogues; {'; '.join(cells)}", flush=True)


def judged(stage: Path, decoding: str) -> list[Dialogue]:
    """The dialogues with real users; those of T=1 where tuning left the temperature there."""
    path = stage / f"real-{decoding}.jsonl"
    return list(read_dialogues(path if path.exists() else stage / "real-T1.jsonl"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    cells = [cell for run in parser.parse_args().runs for cell in sorted((run / "stages" / "edit").glob("seed*"))]
    logged = [
        d for cell in cells for part in ("align", "agent") for d in read_dialogues(cell / "logs" / f"{part}.jsonl")
    ]
    show("logs", logged)
    for decoding in ("T1", "tuned"):
        for arm in ARMS:
            held = [judged(cell / f"judge-{arm}", decoding) for cell in cells]
            show(f"{arm}, {decoding}", [dialogue for dialogues in held for dialogue in dialogues])


if __name__ == "__main__":
    main()
