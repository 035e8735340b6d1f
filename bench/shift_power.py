"""How many dialogues does it take to see that a user is not like people?

    python bench/shift_power.py [--tasks elicit edit haggle --repetitions 20]

In logged contexts of known users a user answers that is the stand-in with probability s and the real users otherwise; the total
variation of its replies from theirs is then s times the stand-in's, which is given as measured from the likelihoods. One turn
(the user's second message) is tested, as `understudy shift` does it. Shown is in what share of the repetitions, each with other
dialogues, the lower bound of the total variation is above 0; with s = 0 that is the share of false alarms (at most 5%). Below
stands in what share of them the bound is right, not above that total variation (95% or more).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from understudy.one_step import OneStep, one_step
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.shift.auc import detectable_total_variation
from understudy.shift.likelihood import message_total_variation
from understudy.shift.steps import step_shift
from understudy.tasks import KNOWN_USERS
from understudy.tasks.base import KnownUserFamily
from understudy.types import Dialogue
from understudy.users.population import PopulationSpeaker, PromptedSpeaker

TURN = 1
FEATURE_SETS = 2
LIKELIHOODS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(KNOWN_USERS))
    parser.add_argument("--severities", type=float, nargs="+", default=[0.0, 0.05, 0.1, 0.2])
    parser.add_argument("--pairs", type=int, nargs="+", default=[250, 500, 1000, 2000])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--pool", type=int, default=6000, help="dialogues that the repetitions draw from")
    asked = parser.parse_args()
    reach = [detectable_total_variation(n, 1 - 0.05 / FEATURE_SETS) for n in asked.pairs]
    print("pairs" + " " * 22 + "".join(f"{n:8}" for n in asked.pairs))
    print("seen in 80%, by the formula " + "".join(f"{tv:8.3f}" for tv in reach), flush=True)
    for task in asked.tasks:
        family = known_family(task)
        logged = known_logs(family, asked.pool, asked.pool, seed=3000)
        for severity in asked.severities:
            tv = total_variation(family, logged, severity)
            bounds = lower_bounds(family, logged, severity, asked.pairs, asked.repetitions)
            for name, held in (("seen ", bounds > 0), ("right", bounds <= tv)):
                shares = "".join(f"{share:8.2f}" for share in held.mean(1))
                print(f"{task:8} s {severity:4.2f}, TV {tv:5.3f}, {name}" + shares, flush=True)


def lower_bounds(
    family: KnownUserFamily, logged: Sequence[Dialogue], severity: float, sizes: Sequence[int], repetitions: int
) -> np.ndarray:
    """[sizes, repetitions] the largest lower bound of the total variation that any set of features gives."""
    user = PromptedSpeaker(family, severity, PopulationSpeaker(family))
    steps = [s for s in one_step(user, "user", logged, contexts=10**9, width=512, seed=1) if s.turn == TURN]
    rng = np.random.default_rng(0)
    return np.array(
        [[_bound([steps[i] for i in rng.permutation(len(steps))[:n]], k) for k in range(repetitions)] for n in sizes]
    )


def _bound(steps: Sequence[OneStep], seed: int) -> float:
    return max(point.tv_low for point in step_shift(steps, seed=seed).points)


def total_variation(family: KnownUserFamily, logged: Sequence[Dialogue], severity: float) -> float:
    """Of the user's second message, in expectation over the logged contexts: Q = (1 - s) P + s stand-in."""
    distances = []
    for dialogue in logged[:LIKELIHOODS]:
        places = [i for i, m in enumerate(dialogue.messages) if m.role == "user"]
        if len(places) > TURN:
            said, place = dialogue.messages, places[TURN]
            log_p = family.population.log_prob_marginal(dialogue.task, said[: place + 1])[TURN]
            stand_in = family.prompted_reply(dialogue.task, said[:place]).probability(said[place])
            log_q = np.log((1 - severity) * np.exp(log_p) + severity * stand_in)
            distances.append(message_total_variation(log_p, float(log_q)))
    return float(np.mean(distances))


if __name__ == "__main__":
    main()
