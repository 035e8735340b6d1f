"""Stages that judge agents; each reads finished stages and writes one `result.json`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from understudy.evaluate.judge import appointments, hold, score, tune_temperature
from understudy.logs.read import read_dialogues, write_dialogues
from understudy.pipeline.cell import ALIGNED, LOG_ARMS, LOGGED_CONTEXTS, POPULATION, PROMPTED, Cell
from understudy.pipeline.language import agent_language
from understudy.results import (
    ArmResult,
    Cost,
    Further,
    Transcript,
    TranscriptColumn,
    TranscriptsResult,
)
from understudy.runs import MetricsLog, write_json
from understudy.scheduler import StageContext
from understudy.shift.likelihood import TurnShift
from understudy.shift.tokens import model_shift
from understudy.shift.two_sample import shift_curve
from understudy.types import Dialogue

GREEDY = 0.0
_LAST_STEPS = 5


def judge_arm(
    context: StageContext,
    cell: Cell,
    *,
    arm: str,
    agent_stage: str,
    training_user: str | None,
    severity: float = 1.0,
    log_size: int | None = None,
    rounds: int = 0,
    realigned: bool = False,
    earlier: Sequence[str] = (),
) -> None:
    """Tune the decoding on validation tasks with the arm's own training user, then judge with real users.

    Writes `result.json`, the judged dialogues `real-<decoding>.jsonl`, `aligned.jsonl` with the aligned user (tuned decoding;
    not for sweeps), and (where the arm's training contexts were its own) `training.jsonl`.

    Args:
        training_user: label of the user who answered in training; None for arms that met none, which tune with the aligned one.
        rounds, realigned: of an agent that was trained on beyond its arm, see `Further`.
        earlier: stages of the agents that it was trained on from, and of their users that are not its own; for the cost.
    """
    judge = cell.config.judge
    width = cell.config.sampling.width
    training, judging = cell.training_family(), cell.judging_family()
    agent = cell.agent_speaker(cell.load_agent(agent_stage, context))
    tuner = training_user or ALIGNED
    total = judge.dialogues

    seen, unseen = cell.goals(held_out=False), cell.goals(held_out=True)
    validation = appointments(training, judge.tuning_dialogues, cell.seed_of("tuning"), "validation", held_out=seen)
    tuned, _ = tune_temperature(
        training,
        agent,
        cell.user(tuner, context, severity=severity),
        validation,
        (*judge.temperatures, GREEDY),
        width=width,
    )
    meetings = appointments(judging, judge.dialogues, cell.seed_of("judging"), "heldout", held_out=unseen)
    people = cell.user(cell.people, context)
    decoding, judged, spoken = {}, {}, {}
    for name, temperature in {"T=1": 1.0, "tuned": tuned, "greedy": GREEDY}.items():
        if temperature not in judged:
            held = hold(
                judging,
                agent,
                people,
                meetings,
                temperature,
                width=width,
                on_finished=partial(_report, context, total, name),
            )
            judged[temperature] = score(held, temperature, cell.seed_of("score", arm))
            spoken[temperature] = held.dialogues
            write_dialogues(context.output / f"real-{name.replace('=', '')}.jsonl", held.dialogues)
        decoding[name] = judged[temperature]

    with_own, further = None, None
    if training_user is not None:
        # At the temperature that the policy was sampled with in training.
        met = appointments(training, judge.shift_dialogues, cell.seed_of("met"), "met", held_out=seen)
        trained_with = cell.user(training_user, context, severity=severity, in_training=True)
        held = hold(training, agent, trained_with, met, 1.0, width=width)
        if arm not in LOGGED_CONTEXTS:
            write_dialogues(context.output / "training.jsonl", held.dialogues)
        with_own = score(held, 1.0, cell.seed_of("score", arm, "own"))
        if rounds:
            contexts = shift_curve(
                held.dialogues, spoken[1.0], seed=cell.seed_of("shift"), min_alive=judge.shift_min_alive
            )
            further = Further(rounds=rounds, realigned=realigned, contexts=contexts)
    table = {cell.words(cell.people): decoding["tuned"]}
    if log_size is None and severity == 1.0 and not rounds:
        others = meetings[: judge.tuning_dialogues]
        for label in cell.simulators:
            held = hold(judging, agent, cell.user(label, context), others, tuned, width=width)
            if label == ALIGNED:
                write_dialogues(context.output / f"{ALIGNED}.jsonl", held.dialogues)
            table[cell.words(label)] = score(held, tuned, cell.seed_of("score", arm, label))
    write_json(
        context.output / "result.json",
        ArmResult(
            family=cell.family_name,
            seed=cell.seed,
            arm=arm,
            decoding=decoding,
            tuned_temperature=tuned,
            training_user=cell.words(training_user, severity) if training_user else None,
            training_reward=_training_reward(context, agent_stage) if arm not in LOG_ARMS else None,
            reward_with_training_user=with_own,
            cost=_cost(context, cell, arm, (*earlier, agent_stage), training_user),
            agent_x_user=table,
            severity=severity if training_user == PROMPTED else None,
            log_size=log_size,
            further=further,
            from_base={} if arm == "base" else _from_base(context, cell, agent_stage, spoken[1.0]),
            language=None if cell.known else agent_language(context, cell, agent_stage, decoding, spoken),
            judge_label=cell.words(cell.people),
            reward_name=judging.reward_name,
            reward_max=judging.reward_max,
        ).to_json(),
    )


def _from_base(
    context: StageContext, cell: Cell, agent_stage: str, dialogues: Sequence[Dialogue]
) -> dict[str, list[TurnShift]]:
    agent, base = (cell.load_agent(stage, context) for stage in (agent_stage, cell.stage("base")))
    return model_shift(agent, base, "agent", dialogues)._asdict()


def _report(context: StageContext, total: int, decoding: str, done: int) -> None:
    context.progress(done, total, decoding=decoding)


def _training_reward(context: StageContext, agent_stage: str) -> float:
    rows = MetricsLog(context.input(agent_stage) / "metrics.jsonl").read()
    return float(np.mean([row["reward"] for row in rows[-_LAST_STEPS:]]))


def _cost(context: StageContext, cell: Cell, arm: str, stages: Sequence[str], training_user: str | None) -> Cost:
    """What the arm used; real dialogues count the logs behind its models and its contexts.

    The oracle's rollouts count as well where it trains with a programme and that one wrote the logs: it is then the real users.

    Args:
        stages: that trained its agent; of an agent that was trained on, those before it and their users' as well.
    """
    logs = json.loads((context.input(cell.stage("logs")) / "summary.json").read_text())
    reads_logs = cell.config.sft.fit_agent or (arm in LOGGED_CONTEXTS and arm not in LOG_ARMS)
    real = logs["agent"] if reads_logs else 0
    steps, cpu, budget = 0, 0.0, Counter[str]()
    for folder in map(context.input, stages):
        cpu += _cpu_seconds(folder)
        if (folder / "budget.json").exists():
            budget.update(json.loads((folder / "budget.json").read_text()))
            steps += len(MetricsLog(folder / "metrics.jsonl").read())
    user_stage = cell.user_stage(training_user) if training_user else None
    if user_stage is not None:
        history = json.loads((context.input(user_stage) / "history.json").read_text())
        real += history["dialogues"]
        cpu += _cpu_seconds(context.input(user_stage)) + history.get("candidates_cpu_seconds", 0.0)
    if training_user == POPULATION and cell.config.logs.path is None:
        real += budget["dialogues"]
    return Cost(
        optimizer_steps=steps,
        sampled_agent_messages=budget["messages"],
        sampled_tokens=budget["tokens"],
        sampled_dialogues=budget["dialogues"],
        cpu_seconds=cpu,
        real_dialogues=real,
    )


def _cpu_seconds(folder: Path) -> float:
    return float(json.loads((folder / "cost.json").read_text())["cpu_seconds"])


def show_transcripts(context: StageContext, cell: Cell, *, arms: dict[str, str], count: int = 4) -> None:
    """The same tasks with the same people, side by side, one column per arm (tuned decoding)."""
    columns = {}
    for arm, stage in arms.items():
        folder = context.input(stage)
        columns[arm] = read_tuned(folder)
    by_task = {arm: {d.task.id: d for d in dialogues} for arm, dialogues in columns.items()}
    first = next(iter(columns.values()))
    shared = [d for d in first if all(d.task.id in found for found in by_task.values())]
    result = TranscriptsResult(
        family=cell.family_name,
        seed=cell.seed,
        judge_label=cell.words(cell.people),
        transcripts=[
            Transcript(
                goal=d.task.user_prompt,
                columns=[TranscriptColumn.of(arm, found[d.task.id]) for arm, found in by_task.items()],
            )
            for d in shared[:count]
        ],
    )
    write_json(context.output / "result.json", result.to_json())


def read_tuned(folder: Path) -> list[Dialogue]:
    """The dialogues of a judgement with real users at tuned decoding; equal temperatures were judged once."""
    judged = ArmResult.from_json(json.loads((folder / "result.json").read_text()))
    name = next(n for n in ("T=1", "tuned", "greedy") if judged.decoding[n].temperature == judged.tuned_temperature)
    return read_dialogues(folder / f"real-{name.replace('=', '')}.jsonl")
