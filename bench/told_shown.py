"""How often a model writes what only the interface shows: a private worth, told to the other side.

    python bench/told_shown.py RUN/stages/haggle/seed0 [...]

Counts messages that hold a word that is shown in the logs and that no message or goal holds there (`asked`, `offered`): of
people in the logs, of the aligned user with the agent that it trained, and of agents with people. 95% intervals over dialogues.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from understudy.logs.read import read_dialogues
from understudy.stats import clustered_share
from understudy.types import Dialogue, Message, Role


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path, nargs="+")
    for cell in parser.parse_args().cells:
        logs = read_dialogues(cell / "logs" / "align.jsonl")
        shown = {word for d in logs for m in d.messages for word in m.shown.split()}
        known = {word for d in logs for m in d.messages for word in f"{m.text} {d.task.user_prompt}".split()}
        private = shown - known
        print(f"{cell}: {', '.join(sorted(private)) or 'nothing is shown that nobody says'}")
        for label, path, role in (
            ("people of the logs", cell / "logs" / "heldout.jsonl", "user"),
            ("aligned user with calibrated", cell / "judge-calibrated" / "training.jsonl", "user"),
            ("base with people", cell / "judge-base" / "real-T1.jsonl", "agent"),
            ("calibrated with people", cell / "judge-calibrated" / "real-T1.jsonl", "agent"),
        ):
            if path.exists():
                print(f"    {label}: {told(read_dialogues(path), role, private)}", flush=True)


def told(dialogues: Sequence[Dialogue], role: Role, private: set[str]) -> str:
    messages = [[m for m in d.messages if m.role == role] for d in dialogues]
    counts = [sum(tells(message, private) for message in of_one) for of_one in messages]
    share = clustered_share(counts, [len(of_one) for of_one in messages])
    counted = f"{sum(counts)} of {sum(len(of_one) for of_one in messages)}"
    return f"{share.mean:.1%} [{share.low:.1%}, {share.high:.1%}] ({counted})"


def tells(message: Message, private: set[str]) -> bool:
    return not private.isdisjoint(message.text.split())


if __name__ == "__main__":
    main()
