"""Whether an aligned user of `edit` recalls the value it is asked for: at a reply's first word, and later on.

    python bench/edit_recall.py RUN/stages/edit/seed1000 [...]

In held-out people's replies, wherever a value of the goal stands: the probability that the model gives to it, and to the other
values of the same slot. Recall is the first in sum over all places, as a share of both.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from understudy.logs.read import read_dialogues
from understudy.models.chat import ChatFormat
from understudy.models.load import load_chat_model
from understudy.tasks.edit.reading import read_agent
from understudy.tasks.edit.words import SLOTS, VALUES
from understudy.types import Dialogue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path, nargs="+")
    torch.set_num_threads(1)
    for cell in parser.parse_args().cells:
        print(cell)
        for (answered, place), pairs in sorted(recalled(cell).items()):
            right, wrong = np.array(pairs).T
            recall = right.sum() / (right.sum() + wrong.sum())
            print(f"    {answered}, {place}: recall {recall:.2f} in {len(pairs)} places", flush=True)


def recalled(cell: Path) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Probability of the right and of the other values, by what the reply answers and where in it the value stands."""
    chat_model = load_chat_model(cell / "user-aligned" / "model")
    chat = ChatFormat.of(chat_model, "user")
    first_tokens = {slot: {value: chat.words(value)[0] for value in VALUES[slot]} for slot in SLOTS}
    found: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for dialogue in read_dialogues(cell / "logs" / "heldout.jsonl"):
        ids, mask = chat.dialogue(dialogue.task.prompt("user"), dialogue.messages)
        with torch.no_grad():
            chances = torch.softmax(chat_model.model(torch.tensor([ids])).logits[0], -1)
        answered = iter(answers(dialogue))
        kind = ""
        for place in (place for place, own in enumerate(mask) if own):
            first = not mask[place - 1]
            kind = next(answered) if first else kind
            for slot, tokens in first_tokens.items():
                if ids[place] == tokens[dialogue.task.goal["slots"][slot]]:
                    right = float(chances[place - 1, ids[place]])
                    wrong = float(chances[place - 1, list(tokens.values())].sum()) - right
                    found[kind, "first word" if first else "later"].append((right, wrong))
    return found


def answers(dialogue: Dialogue) -> list[str]:
    """What each of the user's messages answers."""
    before = [read_agent(m.text) for m in dialogue.messages if m.role == "agent"]
    kinds = ["opening", *("draft" if act.draft else "question" for act in before)]
    return kinds[: sum(m.role == "user" for m in dialogue.messages)]


if __name__ == "__main__":
    main()
