"""Stages that train an agent in one arm. The arms differ in where contexts come from; the oracle has no KL penalty."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from understudy.logs.read import read_dialogues
from understudy.models.chat_model import ChatModel
from understudy.pipeline.cell import LOGGED_CONTEXTS, Cell
from understudy.runs import write_json
from understudy.scheduler import StageContext, in_processes
from understudy.speaker import Speaker
from understudy.train.figures import Budget, OnStep
from understudy.train.loop import train
from understudy.train.multiturn_aware import MultiturnAwareRollouts
from understudy.train.rollouts import ConversationRollouts, LoggedRollouts, RolloutSource
from understudy.train.tracking import tracking


def _engine(name: str) -> Callable[..., Budget]:
    if name == "local":
        return train
    from understudy.train.trl_engine import train_with_trl

    return train_with_trl


def train_arm(
    context: StageContext,
    cell: Cell,
    *,
    arm: str,
    user: str | None,
    severity: float = 1.0,
    start: str | None = None,
    rounds: int = 0,
) -> None:
    """GRPO: `model/`, `metrics.jsonl`, `budget.json`, `settings.json` (of the arm).

    Args:
        user: label of the user that answers the policy; None for the static arm, where nobody does.
        severity: of the prompted stand-in's failings.
        start: the stage with the agent to start from; the base where None.
        rounds: of further training with this one, from 1; 0 for the training of an arm itself.
    """
    agent = start or cell.stage("base")
    in_processes(
        cell.config.rl.processes,
        _train,
        context,
        cell=_with_settings(cell, arm, rounds),
        arm=arm,
        user=user,
        severity=severity,
        agent=agent,
        tasks=seed_of_tasks(cell, rounds),
    )


def seed_of_tasks(cell: Cell, rounds: int) -> int:
    """Of the tasks to train with: the same in every arm that converses, others in each further round."""
    return cell.seed_of("train", *([f"round {rounds}"] if rounds else []))


def _with_settings(cell: Cell, arm: str, rounds: int) -> Cell:
    """The cell with the settings of the arm, and the steps of a round that goes on with a trained agent."""
    rl = cell.rl(arm)
    if rounds:
        rl = rl.model_copy(update={"steps": cell.config.realignment.steps})
    return replace(cell, config=cell.config.model_copy(update={"rl": rl}))


def _train(
    context: StageContext, *, cell: Cell, arm: str, user: str | None, severity: float, agent: str, tasks: int
) -> None:
    """In one process or each of several, of which the first writes what comes of it.

    Args:
        agent: the stage with the agent to start from.
        tasks: the seed of the tasks to train with.
    """
    rl = cell.config.rl
    policy = cell.load_agent(agent, context)
    first = os.environ.get("RANK", "0") == "0"
    with tracking(rl.tracker if first else None, context.shared.parent, context.name) as track:

        def on_step(step: int, figures: dict[str, float]) -> None:
            context.progress(step + 1, rl.steps, reward=figures["reward"])
            track(step, figures)

        if rl.engine == "verl":
            budget = _train_with_verl(context, cell, policy, user, severity, tasks, on_step)
        else:
            speaker = cell.agent_speaker(policy)
            answers = None if user is None else cell.user(user, context, severity=severity, in_training=True)
            source = _source(context, cell, arm, answers, tasks)
            budget = _engine(rl.engine)(policy, speaker, source, rl, scratch=context.scratch, on_step=on_step)
    if not first:
        return
    policy.save(context.output / "model")
    shutil.copy(context.scratch / "metrics.jsonl", context.output / "metrics.jsonl")
    write_json(context.output / "budget.json", vars(budget))
    write_json(context.output / "settings.json", rl.model_dump(mode="json"))


def _source(context: StageContext, cell: Cell, arm: str, user: Speaker | None, seed: int) -> RolloutSource:
    """Where an arm's contexts come from."""
    # The same tasks, step by step, in every arm that converses.
    family, width = cell.training_family(), cell.config.sampling.width
    if arm not in LOGGED_CONTEXTS:
        assert user is not None  # it answers in every arm that converses
        held_out = cell.goals(held_out=False)
        return ConversationRollouts(family, user, seed=seed, width=width, held_out=held_out)
    logs = read_dialogues(_agent_logs(context, cell))
    if user is None:
        return LoggedRollouts(family, logs, seed=seed, width=width)
    rl = cell.config.rl
    return MultiturnAwareRollouts(
        family,
        logs,
        user,
        samples=rl.forward_samples,
        turns=rl.forward_turns,
        token_penalty=rl.token_penalty,
        seed=seed,
        width=width,
    )


def _agent_logs(context: StageContext, cell: Cell) -> Path:
    """People's dialogues with the agent, which the logged contexts are those of."""
    return context.input(cell.stage("logs")) / "agent.jsonl"


def _train_with_verl(
    context: StageContext,
    cell: Cell,
    policy: ChatModel,
    user: str | None,
    severity: float,
    seed: int,
    on_step: OnStep,
) -> Budget:
    from understudy.train.verl.launch import Arm, train_with_verl

    arm = Arm(
        config=cell.config,
        family=cell.family_name,
        seed=seed,
        held_out=cell.goals(held_out=False),
        user=None if user is None else cell.user_spec(user, context, severity=severity, in_training=True),
        logs=_agent_logs(context, cell) if user is None else None,
    )
    return train_with_verl(policy, arm, scratch=context.scratch, on_step=on_step)
