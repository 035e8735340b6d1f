"""What does a simulator cost that is unlike people at one turn alone?

    python bench/early_mismatch.py [--tasks ledger elicit edit haggle --dialogues 3000]

The scripted agent of the logs talks with the real users, and with a user that is the stand-in at its message t and the real
users at all others: same tasks, persons and seeds, so that the dialogues are the same up to message t. By t: the weight of
that message in the bound on the difference of the two rewards (docs/method.md, 2), in units of the largest reward per turn or
at the end; the total variation of the stand-in's message from people's there (`delta_t`, 0 where the dialogue has ended; from
likelihoods, 300 dialogues); the difference of the mean rewards with its 95% bootstrap interval over dialogues, in the same
units; and the difference per unit of `delta_t`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from understudy.converse import Appointment, converse
from understudy.runs import stream, stream_seed
from understudy.shift.likelihood import message_total_variation
from understudy.speaker import Failure, Request
from understudy.stats import bootstrap_interval
from understudy.tasks import load_family
from understudy.tasks.base import KnownUserFamily
from understudy.types import Dialogue, Message, TokenRecord
from understudy.users.population import PopulationSpeaker, PromptedSpeaker
from understudy.users.script import ScriptSpeaker

LEDGER = "understudy.tasks.ledger:Ledger8"
LIKELIHOODS = 300
LEAST_ALIVE = 0.05
"""Turns that fewer dialogues reach are left out."""


class OneTurnOff:
    """The real users, but for one message, which is the stand-in's."""

    def __init__(self, family: KnownUserFamily, turn: int) -> None:
        self.people, self.stand_in, self.turn = PopulationSpeaker(family), PromptedSpeaker(family), turn

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [
            (self.stand_in if sum(m.role == "user" for m in r.messages) == self.turn else self.people).reply([r])[0]
            for r in requests
        ]

    def finish(self, key: int) -> TokenRecord | None:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["ledger", "elicit", "edit", "haggle"])
    parser.add_argument("--dialogues", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for task in asked.tasks:
        family = load_family(LEDGER if task == "ledger" else task)
        meetings = [
            Appointment(
                key,
                family.sample_task(stream(asked.seed, "task", str(key)), f"t{key}"),
                f"person-{key}",
                stream_seed(asked.seed, "dialogue", str(key)),
            )
            for key in range(asked.dialogues)
        ]
        real = hold(family, meetings, PopulationSpeaker(family))
        per_turn = bool(real[0].outcome.turn_rewards)
        horizon = family.max_agent_turns
        unit = family.reward_max / (horizon if per_turn else 1)
        print(f"{task}, {horizon} turns, reward {'per turn' if per_turn else 'at the end'}")
        print("message   weight   delta   difference                per unit of delta")
        for turn in range(horizon + 1):
            alive = np.mean([sum(m.role == "user" for m in d.messages) > turn for d in real])
            if alive < LEAST_ALIVE:
                break
            off = hold(family, meetings, OneTurnOff(family, turn))
            differences = [(a.outcome.reward - b.outcome.reward) / unit for a, b in zip(off, real, strict=True)]
            found = bootstrap_interval(differences, stream(asked.seed, "bootstrap", str(turn)))
            delta = delta_at(family, real[:LIKELIHOODS], turn)
            weight = horizon - turn if per_turn else 1
            ratio = f"{found.mean / delta:.3f}" if delta > 0 else "-"
            shown = f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"
            print(f"{turn:7} {weight:8} {delta:7.3f}   {shown:24} {ratio:>8}", flush=True)


def hold(
    family: KnownUserFamily, meetings: Sequence[Appointment], user: PopulationSpeaker | OneTurnOff
) -> list[Dialogue]:
    return converse(family, meetings, ScriptSpeaker(family), user, width=256).dialogues


def delta_at(family: KnownUserFamily, dialogues: Sequence[Dialogue], turn: int) -> float:
    """Total variation of the stand-in's message from people's, averaged over people's contexts; 0 of dialogues that ended."""
    distances = []
    for dialogue in dialogues:
        places = [i for i, m in enumerate(dialogue.messages) if m.role == "user"]
        if len(places) <= turn:
            distances.append(0.0)
            continue
        said, place = dialogue.messages, places[turn]
        log_p = family.population.log_prob_marginal(dialogue.task, said[: place + 1])[turn]
        q = family.prompted_reply(dialogue.task, said[:place]).probability(said[place])
        distances.append(message_total_variation(log_p, float(np.log(q)) if q > 0 else -np.inf))
    return float(np.mean(distances))


if __name__ == "__main__":
    main()
