"""Stages that train an agent in one arm. The arms differ in where the contexts come from, and in nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from understudy.logs.read import read_dialogues
from understudy.models.load import load_chat_model
from understudy.pipeline.cell import Cell
from understudy.runs import write_json
from understudy.scheduler import StageContext, in_processes
from understudy.train.figures import Budget
from understudy.train.loop import train
from understudy.train.rollouts import ConversationRollouts, LoggedRollouts, RolloutSource


def _engine(name: str) -> Callable[..., Budget]:
    if name == "local":
        return train
    from understudy.train.trl_engine import train_with_trl

    return train_with_trl


def train_arm(context: StageContext, cell: Cell, *, user: str | None, severity: float = 1.0) -> None:
    """GRPO from the base: `model/`, `metrics.jsonl`, `budget.json`.

    Args:
        user: label of the user that the policy talks with; None trains on logged contexts (the static arm).
        severity: of the prompted stand-in's failings.
    """
    in_processes(cell.config.rl.processes, _train, context, cell=cell, user=user, severity=severity)


def _train(context: StageContext, *, cell: Cell, user: str | None, severity: float) -> None:
    """In one process or each of several, of which the first writes what comes of it."""
    policy = load_chat_model(context.input(cell.stage("base")) / "model")
    speaker = cell.model_speaker(policy, "agent")
    # The same tasks, step by step, in every arm that converses.
    seed, width = cell.seed_of("train"), cell.config.sampling.width
    source: RolloutSource
    if user is None:
        logs = read_dialogues(context.input(cell.stage("logs")) / "agent.jsonl")
        source = LoggedRollouts(cell.training_family(), logs, seed=seed, width=width)
    else:
        source = ConversationRollouts(
            cell.training_family(),
            cell.user(user, context, severity=severity),
            seed=seed,
            width=width,
            held_out=cell.goals(held_out=False),
        )
    rl = cell.config.rl
    budget = _engine(rl.engine)(
        policy,
        speaker,
        source,
        rl,
        scratch=context.scratch,
        on_step=lambda step, f: context.progress(step + 1, rl.steps, reward=f["reward"]),
    )
    if int(os.environ.get("RANK", "0")) > 0:
        return
    policy.save(context.output / "model")
    shutil.copy(context.scratch / "metrics.jsonl", context.output / "metrics.jsonl")
    write_json(context.output / "budget.json", vars(budget))
