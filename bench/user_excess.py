"""What people's replies have that an aligned user does not foresee: its excess cross-entropy, by kind of reply and by message.

    python bench/user_excess.py RUN [--user aligned] [--dialogues FILE]

RUN is a run of `understudy compare`, or what `user_coherence.py` kept, on known users, whose replies have exact probabilities.
On the held-out logs of each cell, or on other dialogues with people of its one task (a `real-T1.jsonl` of a judgement, say):
log-probability of the reply under the population (marginal over personas) less that under the user's model, in nats per reply;
0 is a user that cannot be told from people. A model spreads a little over ways to write the same words as tokens, which is
counted against it. 95% bootstrap intervals over dialogues.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import cast

import numpy as np
import torch

from understudy.logs.read import read_dialogues
from understudy.models.load import load_chat_model
from understudy.realism.perplexity import reply_log_probs
from understudy.runs import stream
from understudy.stats import bootstrap_interval
from understudy.tasks import load_family
from understudy.tasks.base import KnownUserFamily, ReadsActs


def measure(cell: Path, user: str, dialogues: Path | None) -> None:
    family = load_family(cell.parent.name)
    population, acts = cast(KnownUserFamily, family).population, cast(ReadsActs, family)
    logs = read_dialogues(dialogues or cell / "logs" / "heldout.jsonl")
    model = reply_log_probs([load_chat_model(cell / f"user-{user}" / "model")], "user", logs)
    per_dialogue, entropy = [], []
    by_act: dict[str, list[float]] = defaultdict(list)
    by_message: dict[int, list[float]] = defaultdict(list)
    for dialogue, found in zip(logs, model, strict=True):
        if found is None:
            continue
        exact = population.log_prob_marginal(dialogue.task, dialogue.messages)
        excess = [p - q for p, q in zip(exact, found, strict=True)]
        entropy.extend(-p for p in exact)
        per_dialogue.append(float(np.mean(excess)))
        replies = [message for message in dialogue.messages if message.role == "user"]
        for place, (reply, more) in enumerate(zip(replies, excess, strict=True)):
            act = acts.act(dialogue.task, reply)
            by_act[act.split(",")[0].split()[0] + (" (ends)" if reply.end else "")].append(more)
            by_message[place].append(more)
    interval = bootstrap_interval(np.array(per_dialogue), stream(0, "excess"))
    total = sum(map(sum, by_act.values()))
    print(
        f"{cell.parent.name} {cell.name}: {interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}] nats per reply "
        f"(mean over {len(per_dialogue)} dialogues); people's own {np.mean(entropy):.2f}"
    )
    shown = sorted(by_act.items(), key=lambda item: -sum(item[1]))
    print(
        "    " + "; ".join(f"{act} {np.mean(v):.2f} ({sum(v) / total:.0%})" for act, v in shown if sum(v) > total / 50)
    )
    print(
        "    by message " + ", ".join(f"{p + 1}: {np.mean(v):.2f}" for p, v in by_message.items() if len(v) >= 30),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--user", default="aligned", help="label of the user's stage: aligned, unseen, ...")
    parser.add_argument("--dialogues", type=Path, help="in place of the held-out logs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for cell in sorted((given.run / "stages").glob("*/seed*")):
        if (cell / f"user-{given.user}").exists():
            measure(cell, given.user, given.dialogues)


if __name__ == "__main__":
    main()
