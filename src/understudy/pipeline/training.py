"""Stages that train an agent in one arm. The arms differ in where the contexts come from, and in nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from understudy.logs.read import read_dialogues
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.pipeline.cell import Cell
from understudy.runs import write_json
from understudy.scheduler import StageContext
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
    policy = load_chat_model(context.input(cell.stage("base")) / "model")
    if cell.config.rl.engine == "verl" and user is not None:  # it is never None with verl: the config refuses it
        budget = _train_with_verl(context, cell, policy, user, severity)
    else:
        budget = _train_here(context, cell, policy, user, severity)
    policy.save(context.output / "model")
    shutil.copy(context.scratch / "metrics.jsonl", context.output / "metrics.jsonl")
    write_json(context.output / "budget.json", vars(budget))


def _train_here(context: StageContext, cell: Cell, policy: ChatModel, user: str | None, severity: float) -> Budget:
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
    return _engine(cell.config.rl.engine)(
        policy, speaker, source, cell.config.rl, scratch=context.scratch, on_step=_reporter(context, cell)
    )


def _train_with_verl(context: StageContext, cell: Cell, policy: ChatModel, user: str, severity: float) -> Budget:
    from understudy.train.verl.launch import Arm, train_with_verl

    arm = Arm(
        config=cell.config,
        family=cell.family_name,
        seed=cell.seed_of("train"),
        held_out=cell.goals(held_out=False),
        user=cell.user_spec(user, context, severity=severity),
    )
    return train_with_verl(policy, arm, scratch=context.scratch, on_step=_reporter(context, cell))


def _reporter(context: StageContext, cell: Cell) -> Callable[[int, dict[str, float]], None]:
    return lambda step, figures: context.progress(step + 1, cell.config.rl.steps, reward=figures["reward"])
