"""How much of what agents say is outside the support of the user that was aligned in their cell.

    python bench/user_support.py RUN/stages/haggle/seed0 [--dialogues 300]

Each arm's agent at T=1 with real users, and with the user that it was trained with where it met one: the share of its messages
that the aligned user finds less typical than the support allows, of those said before more often than it allows, and of
dialogues with a message of either kind, with 95% intervals over dialogues; then the untypical messages that were said most
often, with the median of their atypicality.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from understudy.align.support import atypicalities, repeats
from understudy.errors import RunError
from understudy.logs.read import read_dialogues
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.stats import Interval, clustered_share
from understudy.types import Dialogue
from understudy.users.support import Support

_BATCH_TOKENS = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cell", type=Path, help="stages of one task and seed, with their models and dialogues")
    parser.add_argument("--dialogues", type=int, default=300, help="of each file")
    arguments = parser.parse_args()
    user = arguments.cell / "user-aligned" / "model"
    support = Support.load(user)
    if support is None:
        raise SystemExit(str(RunError("has no support.json", where=str(user), fix="align with support.quantile")))
    model = load_chat_model(user)
    print(
        f"inside: atypicality up to {support.limit:.2f} ({100 * support.quantile:g}% of {support.messages} held-out messages), "
        f"said up to {support.repeats} times before"
    )
    files = {"logs": arguments.cell / "logs" / "heldout.jsonl"}
    for folder in sorted(arguments.cell.glob("judge-*")):
        arm = folder.name.removeprefix("judge-")
        files |= {f"{arm}, real users": folder / "real-T1.jsonl", f"{arm}, in training": folder / "training.jsonl"}
    for name, file in files.items():
        if file.exists():
            _print(name, read_dialogues(file)[: arguments.dialogues], model, support)


def _print(name: str, dialogues: Sequence[Dialogue], model: ChatModel, support: Support) -> None:
    found = [atypicalities(model, [dialogue], batch_tokens=_BATCH_TOKENS) for dialogue in dialogues]
    untypical = [sum(value > support.limit for value in values) for values in found]
    counts = [repeats(dialogue) for dialogue in dialogues]
    repeated = [sum(count > support.repeats for count in of_dialogue) for of_dialogue in counts]
    either = [float(a + b > 0) for a, b in zip(untypical, repeated, strict=True)]
    far_off = clustered_share(untypical, [len(values) for values in found])
    again = clustered_share(repeated, [len(of_dialogue) for of_dialogue in counts])
    whole = clustered_share(either, [1] * len(either))
    print(
        f"{name}: {_percent(far_off)} of messages untypical, {_percent(again)} said before too often, "
        f"{_percent(whole)} of dialogues"
    )
    said: Counter[str] = Counter()
    far: dict[str, list[float]] = {}
    for dialogue, values in zip(dialogues, found, strict=True):
        if not values:  # too long for the user
            continue
        texts = [message.text for message in dialogue.messages if message.role == "agent"]
        for text, value in zip(texts, values, strict=True):
            if value > support.limit:
                said[text] += 1
                far.setdefault(text, []).append(value)
    for text, count in said.most_common(3):
        print(f"    {count:4d} times, {np.median(far[text]):.1f}: {text}")


def _percent(share: Interval) -> str:
    return f"{share.mean:.1%} [{share.low:.1%}, {share.high:.1%}]"


if __name__ == "__main__":
    main()
