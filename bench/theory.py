"""The theory held against trained models: how much less than the oracle each arm earns, over the number of turns.

    understudy compare --task understudy.tasks.ledger:Ledger2 --task understudy.tasks.ledger:Ledger4 \\
      --task understudy.tasks.ledger:Ledger8 --task understudy.tasks.ledger:Ledger16 --config bench/theory.yaml --out RUN
    python bench/theory.py RUN

In `ledger` every turn is rewarded and errors last, as Theorem 3.1 (arXiv 2605.26403) supposes of the worst case. At T=1, with
the real users, over seeds: the gap to the oracle in turns; the bound on it from what the two agents say, `sum (H - i) eps_i`,
with eps the total variation of whole messages in the arm's own contexts; the reward in training less the reward with real
users, for the arms that a simulated user answers, and the bound on that from `delta`, the total variation of that user's
replies from people's; and the exponent of H in each, fitted in logs for each seed (1 linear, 2 quadratic). 95% t-intervals
over seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from understudy.logs.read import read_dialogues
from understudy.models.load import load_chat_model
from understudy.realism.perplexity import reply_log_probs
from understudy.report.read import CellData, read_run
from understudy.shift.exact import reward_bound
from understudy.shift.likelihood import message_shift_by_turn
from understudy.stats import Interval, t_interval
from understudy.tasks import load_family

ARMS = ("base", "static", "interactive", "calibrated")
TRAINED_WITH = {"interactive": "prompted stand-in (severity 1)", "calibrated": "aligned user"}
DIALOGUES = 300
"""Dialogues of each arm whose messages are given a likelihood."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(2)
    run = read_run(given.run)
    cells = [cell for cell in run.cells if cell.all_judged]
    turns = {name.replace(":", "."): load_family(name).max_agent_turns for name in run.config["families"]}
    horizons = sorted({turns[cell.family] for cell in cells})
    by_place = {(turns[cell.family], cell.seed): cell for cell in cells}
    seeds = sorted({cell.seed for cell in cells if all((h, cell.seed) in by_place for h in horizons)})
    print(f"turns {horizons}, seeds {seeds}")
    reward = {
        arm: np.array([[at_one(by_place[h, s], arm) for h in horizons] for s in seeds]) for arm in (*ARMS, "oracle")
    }
    for arm in (*ARMS, "oracle"):
        show(f"{arm}: turns right", reward[arm])
    for arm in ARMS:
        gap = reward["oracle"] - reward[arm]
        show(f"{arm}: gap to the oracle", gap, horizons)
        bound = np.array([[policy_bound(given.run, by_place[h, s], arm) for h in horizons] for s in seeds])
        show(f"{arm}: bound on it", bound, horizons)
        print(f"  gap above the bound in {int((gap > bound).sum())} of {gap.size} cells")
    for arm in TRAINED_WITH:
        seen = np.array([[in_training(by_place[h, s], arm) for h in horizons] for s in seeds])
        show(f"{arm}: in training less with real users", seen - reward[arm], horizons)
        delta = np.array([[mean_delta(by_place[h, s], arm) for h in horizons] for s in seeds])
        show(f"{arm}: mean delta of its user", delta)
        bound = np.array([[user_bound(by_place[h, s], arm) for h in horizons] for s in seeds])
        show(f"{arm}: bound by delta", bound, horizons)


def at_one(cell: CellData, arm: str) -> float:
    return cell.arms[arm].decoding["T=1"].reward


def in_training(cell: CellData, arm: str) -> float:
    """The agent with its training user, once trained."""
    found = cell.arms[arm].reward_with_training_user
    assert found is not None
    return found.reward


def policy_bound(run: Path, cell: CellData, arm: str) -> float:
    """From the total variation of the arm's messages from the oracle's, in the contexts of the arm with real users."""
    folder = run / "stages" / cell.family / f"seed{cell.seed}"
    held = read_dialogues(folder / f"judge-{arm}" / "real-T1.jsonl")[:DIALOGUES]
    mine, other = (reply_log_probs([load_chat_model(folder / a / "model")], "agent", held) for a in (arm, "oracle"))
    whole = [(p, q) for p, q in zip(mine, other, strict=True) if p is not None and q is not None]
    eps = np.array([p.tv for p in message_shift_by_turn([p for p, _ in whole], [q for _, q in whole])])
    return reward_bound(eps, np.zeros(len(eps)), 1.0, "per turn")


def delta_of(cell: CellData, arm: str) -> np.ndarray:
    """[turns] total variation of the replies of the arm's training user from people's; the first one is the opening."""
    assert cell.users is not None
    return np.array([point.tv for point in cell.users.reply_shift[TRAINED_WITH[arm]]])


def mean_delta(cell: CellData, arm: str) -> float:
    return float(delta_of(cell, arm).mean())


def user_bound(cell: CellData, arm: str) -> float:
    delta = delta_of(cell, arm)
    return reward_bound(np.zeros(len(delta)), delta, 1.0, "per turn")


def show(name: str, values: np.ndarray, horizons: list[int] | None = None) -> None:
    """A row: the mean over seeds at each number of turns, and the exponent where it can be fitted.

    Args:
        values: [seeds, horizons].
    """
    cells = " ".join(f"{interval(column):>22}" for column in values.T)
    exponent = ""
    if horizons is not None and len(horizons) > 1:
        rows = [row for row in values if (row > 0).all()]
        slopes = [np.polyfit(np.log(horizons), np.log(row), 1)[0] for row in rows]
        exponent = (
            f"  exponent {interval(np.array(slopes))} ({len(rows)} of {len(values)} seeds)" if slopes else "  none"
        )
    print(f"{name:46} {cells}{exponent}", flush=True)


def interval(values: np.ndarray) -> str:
    found = t_interval(values) if len(values) > 1 else Interval(float(values[0]), float("nan"), float("nan"), 1)
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]" if len(values) > 1 else f"{found.mean:.2f}"


if __name__ == "__main__":
    main()
