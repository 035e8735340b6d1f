"""Do the intervals of the likelihood estimates of shift cover the truth as often as they say?

    python bench/shift_coverage.py [--repetitions 500 --dialogues 100 300 1000 --pool 2000 --run RUN]

Twice. On tables: agents and users of random processes, whose eps, delta and Delta are computed exactly; dialogues are drawn
and the estimates are made from them. On the known populations (with the scripted agent of the logs): the real users against
the stand-in mixed in with severity .1 and .3, against a population with the same kinds of people in other shares, and with
--run (a comparison's folder) against its aligned users. There a pool of dialogues is what is drawn from, with replacement, so
that its mean is the exact value. A cell is an estimate at one turn with one number of dialogues; counted as below are those
whose coverage is lower than chance allows for one of 95%, after correction for the number of cells (Bonferroni, one-sided 5%).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from understudy.models.load import load_chat_model
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.realism.perplexity import reply_log_probs
from understudy.shift import exact
from understudy.shift.families import random_pair
from understudy.shift.likelihood import Values, context_shift_values, message_shift_values
from understudy.stats import bounded_interval
from understudy.tasks import KNOWN_USERS
from understudy.tasks.base import KnownUserFamily
from understudy.tasks.population import Option, Population, ReplyDistribution
from understudy.types import Dialogue, Message, Outcome, Task


class Cell(NamedTuple):
    """Coverage of one estimate at one turn with n dialogues each."""

    estimate: str
    where: str
    turn: int
    n: int
    truth: float
    covered: float
    width: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--dialogues", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--tables", type=int, default=6, help="random processes")
    parser.add_argument("--tasks", nargs="*", default=list(KNOWN_USERS))
    parser.add_argument("--run", type=Path, help="folder of `understudy compare`, for its aligned users")
    parser.add_argument("--seed", type=int, default=0, help="of them")
    asked = parser.parse_args()
    cells = list(on_tables(asked.tables, asked.repetitions, asked.dialogues))
    for task in asked.tasks:
        cells += on_population(task, asked.pool, asked.repetitions, asked.dialogues, asked.run, asked.seed)
    show(cells, asked.repetitions)


def show(cells: Sequence[Cell], repetitions: int) -> None:
    enough = binom.ppf(0.05 / len(cells), repetitions, 0.95) / repetitions
    groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.estimate, cell.where].append(cell)
    print(f"{'estimate':10} {'where':34} {'cells':>5} {'truth':>11} {'mean':>6} {'lowest':>6}  below {enough:.3f}")
    for (estimate, where), found in groups.items():
        covered = [cell.covered for cell in found]
        truths = f"{min(c.truth for c in found):.3f}-{max(c.truth for c in found):.3f}"
        low = sum(c < enough for c in covered)
        mean, least = float(np.mean(covered)), min(covered)
        print(f"{estimate:10} {where:34} {len(found):5} {truths:>11} {mean:6.3f} {least:6.3f}  {low}")
    print("by turn: mean and lowest coverage, cells")
    by_turn: dict[tuple[str, int], list[float]] = defaultdict(list)
    for cell in cells:
        by_turn[cell.estimate, cell.turn].append(cell.covered)
    for (estimate, turn), shares in sorted(by_turn.items()):
        print(f"{estimate:10} {turn:4} {float(np.mean(shares)):6.3f} {min(shares):6.3f} {len(shares):5}")
    for cell in sorted(cells, key=lambda c: c.covered)[:5]:
        print(
            "lowest:", cell.estimate, cell.where, f"turn {cell.turn}, n {cell.n}, {cell.truth:.4f}: {cell.covered:.3f}"
        )
    print(f"all {len(cells)} cells: {np.mean([c.covered for c in cells]):.4f}")


def covered(
    estimate: str, where: str, values: Values, truths: Sequence[float], repetitions: int, sizes: Sequence[int]
) -> Iterator[Cell]:
    """Draw from a pool of values, with replacement.

    Args:
        values: [turns, pool] of the estimate, one per dialogue.
        truths: by turn.
    """
    rng = np.random.default_rng(0)
    for n in sizes:
        drawn = rng.integers(values.shape[1], size=(repetitions, n))
        for turn, (of_turn, truth) in enumerate(zip(values, truths, strict=True)):
            found = [bounded_interval(of_turn[picked]) for picked in drawn]
            hits = [i.low <= truth <= i.high for i in found]
            width = float(np.mean([i.high - i.low for i in found]))
            yield Cell(estimate, where, turn, n, truth, float(np.mean(hits)), width)


def on_tables(count: int, repetitions: int, sizes: Sequence[int]) -> Iterator[Cell]:
    """Fresh dialogues for each repetition, of processes whose shift is computed exactly."""
    horizon, states, acts = 4, 3, 2
    for number in range(count):
        rng = np.random.default_rng(number)
        pair = random_pair(rng, horizon, states, acts, closeness=(0.0, 0.5, 0.9)[number % 3], concentration=0.5)
        d = exact.contexts(pair.agent, pair.users)
        truths = {
            "eps": exact.policy_shift(d, pair.agent, pair.other_agent),
            "delta": exact.user_shift(d, pair.agent, pair.users, pair.other_users),
            "Delta": _exact_path_shift(pair),
        }
        for n in sizes:
            hits: dict[str, list[NDArray[np.bool_]]] = defaultdict(list)
            for _ in range(repetitions):
                for estimate, values in _tabular_values(pair, n, rng).items():
                    found = [bounded_interval(of_turn) for of_turn in values]
                    hits[estimate].append(
                        np.array([i.low <= t <= i.high for i, t in zip(found, truths[estimate], strict=True)])
                    )
            for estimate, of_estimate in hits.items():
                for turn, share in enumerate(np.mean(of_estimate, axis=0)):
                    truth = float(truths[estimate][turn])
                    yield Cell(estimate, "tables", turn, n, truth, float(share), np.nan)


def _tabular_values(pair: Any, n: int, rng: np.random.Generator) -> dict[str, Values]:
    """n dialogues drawn at once; words are the numbers of acts and states."""
    horizon, states = pair.agent.shape[:2]
    state = rng.choice(states, size=n, p=pair.users.opening)
    own: dict[str, list[tuple[Any, Any]]] = {"agent": [], "user": []}
    own["user"].append((pair.users.opening[state], pair.other_users.opening[state]))
    for turn in range(horizon):
        p = pair.agent[turn, state]
        act = (rng.random(n)[:, None] > p.cumsum(1)[:, :-1]).sum(1)
        own["agent"].append((p[np.arange(n), act], pair.other_agent[turn, state, act]))
        if turn < horizon - 1:
            q = pair.users.replies[turn, state, act]
            reply = (rng.random(n)[:, None] > q.cumsum(1)[:, :-1]).sum(1)
            own["user"].append((q[np.arange(n), reply], pair.other_users.replies[turn, state, act, reply]))
            state = reply
    logs = {side: [np.log(np.array([m[i] for m in of])).T.tolist() for i in (0, 1)] for side, of in own.items()}
    task = Task("table", "", "", "", {})
    talk = tuple(Message("user" if i % 2 == 0 else "agent", str(i)) for i in range(2 * horizon))
    dialogues = [Dialogue(task, "", talk, Outcome(0.0, "end"))] * n
    return {
        "eps": message_shift_values(*logs["agent"]),
        "delta": message_shift_values(*logs["user"]),
        "Delta": context_shift_values(dialogues, "user", *logs["user"]),
    }


def _exact_path_shift(pair: Any) -> NDArray[np.float64]:
    """`Delta_t` of whole contexts under other users: all paths, with the agent's acts in common."""
    horizon, states, acts = pair.agent.shape
    p, q = pair.users.opening.copy(), pair.other_users.opening.copy()
    state = np.arange(states)
    found = [0.5 * np.abs(p - q).sum()]
    for turn in range(horizon - 1):
        act = pair.agent[turn, state]  # [paths, A]
        p = (p[:, None, None] * act[..., None] * pair.users.replies[turn, state]).ravel()
        q = (q[:, None, None] * act[..., None] * pair.other_users.replies[turn, state]).ravel()
        state = np.tile(np.arange(states), len(state) * acts)
        found.append(0.5 * np.abs(p - q).sum())
    return np.array(found)


class Mixed(Population):
    """The real users, with the stand-in's reply in place of their own with some probability, or in other shares."""

    def __init__(self, family: KnownUserFamily, severity: float = 0.0, reversed_shares: bool = False) -> None:
        self.family, self.severity, self.reversed_shares = family, severity, reversed_shares

    def personas(self) -> Sequence[tuple[Any, float]]:
        everyone = self.family.population.personas()
        if not self.reversed_shares:
            return everyone
        rising = np.arange(1, len(everyone) + 1) * np.array([share for _, share in everyone])
        return [(who, float(share)) for (who, _), share in zip(everyone, rising / rising.sum(), strict=True)]

    def reply(self, task: Task, messages: Sequence[Message], persona: Any) -> ReplyDistribution:
        parts = [(1 - self.severity, self.family.population.reply(task, messages, persona))]
        if self.severity:
            parts.append((self.severity, self.family.prompted_reply(task, messages)))
        options = []
        for share, part in parts:
            total = sum(option.weight for option in part.options)
            options += [Option(share * option.weight / total, option.text, option.end) for option in part.options]
        return ReplyDistribution(options)


def on_population(
    name: str, pool: int, repetitions: int, sizes: Sequence[int], run: Path | None, seed: int
) -> Iterator[Cell]:
    family = known_family(name)
    dialogues = known_logs(family, pool, pool, seed=2000)
    log_p = [family.population.log_prob_marginal(d.task, d.messages) for d in dialogues]
    others: dict[str, list[list[float]]] = {}
    for words, other in {
        "severity .1": Mixed(family, severity=0.1),
        "severity .3": Mixed(family, severity=0.3),
        "other shares": Mixed(family, reversed_shares=True),
    }.items():
        others[words] = [other.log_prob_marginal(d.task, d.messages) for d in dialogues]
    if run is not None:
        model = load_chat_model(run / "stages" / name / f"seed{seed}" / "user-aligned" / "model")
        found = reply_log_probs([model], "user", dialogues)
        others["aligned (SFT)"] = [f for f in found if f is not None]
    for words, log_q in others.items():
        for estimate, values in {
            "delta": message_shift_values(log_p, log_q),
            "Delta": context_shift_values(dialogues, "user", log_p, log_q),
        }.items():
            truths = values.mean(axis=1).tolist()
            yield from covered(estimate, f"{name}: {words}", values, truths, repetitions, sizes)


if __name__ == "__main__":
    main()
