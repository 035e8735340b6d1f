"""Stages that measure context shift and users; each reads finished stages and writes one `result.json`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import cast

from understudy.evaluate.judge import appointments, hold
from understudy.logs.read import read_dialogues
from understudy.models.chat_model import ChatModel
from understudy.pipeline.cell import (
    ALIGNED,
    ALIGNED_BY_SFT,
    LOGGED_CONTEXTS,
    Cell,
)
from understudy.pipeline.judging import read_tuned
from understudy.pipeline.language import people_heard
from understudy.realism.coherence import coherence_table
from understudy.realism.perplexity import held_out_perplexity, reply_log_probs
from understudy.realism.style import style_figures
from understudy.results import Figure, HeldOutPerplexity, ShiftResult, UsersResult
from understudy.runs import write_json
from understudy.scheduler import StageContext
from understudy.shift.likelihood import TurnShift, message_shift_by_turn
from understudy.shift.two_sample import null_curve, shift_curve
from understudy.tasks.base import KnownUserFamily
from understudy.types import Dialogue, Role

_FEWEST = 10
"""Dialogues per set without which there is no two-sample test in its 5 folds."""


def measure_shift(context: StageContext, cell: Cell, *, arms: dict[str, str]) -> None:
    """Per turn, how well a classifier tells apart what an arm was trained on and what it meets; and the two sources of that.

    Args:
        arms: stage of the judgement by arm. The training contexts of some are the logs (`LOGGED_CONTEXTS`).
    """
    judge, seed = cell.config.judge, cell.seed_of("shift")
    logs = read_dialogues(context.input(cell.stage("logs")) / "agent.jsonl")[: judge.shift_dialogues]
    compare = partial(shift_curve, seed=seed, min_alive=judge.shift_min_alive)
    curves, policy, simulator = {}, {}, {}
    null = None
    for i, (arm, stage) in enumerate(arms.items()):
        folder = context.input(stage)
        real = read_dialogues(folder / "real-T1.jsonl")
        policy[arm] = compare(logs, real)
        simulator[arm] = compare(read_dialogues(folder / f"{ALIGNED}.jsonl"), read_tuned(folder))
        curves[arm] = (
            policy[arm] if arm in LOGGED_CONTEXTS else compare(read_dialogues(folder / "training.jsonl"), real)
        )
        if null is None or arm == "calibrated":
            # Halves of the set are half alive: so that the null reaches the turns that the curves do.
            null = null_curve(real, seed=seed, min_alive=max(_FEWEST, math.ceil(judge.shift_min_alive / 2)))
        context.progress(i + 1, len(arms))
    result = ShiftResult(
        family=cell.family_name,
        seed=cell.seed,
        curves={**curves, "null": null or []},
        policy=policy,
        simulator=simulator,
    )
    write_json(context.output / "result.json", result.to_json())


def measure_users(context: StageContext, cell: Cell, *, agent_stage: str) -> None:
    """Coherence, style and held-out perplexity of every user, all talking with the same agent (the base)."""
    judge, width = cell.config.judge, cell.config.sampling.width
    family = cell.judging_family()
    agent = cell.agent_speaker(cell.load_agent(agent_stage, context))
    meetings = appointments(
        family, judge.tuning_dialogues, cell.seed_of("users"), "users", held_out=cell.goals(held_out=True)
    )
    coherence, style, with_people = {}, {}, []
    labels = [cell.people, *cell.simulators]
    if cell.has_energy(ALIGNED, context):
        labels.insert(2, ALIGNED_BY_SFT)
    for done, label in enumerate(labels, 1):
        held = hold(family, agent, cell.user(label, context), meetings, 1.0, width=width)
        if label == cell.people:
            with_people = held.dialogues
        coherence[cell.words(label)] = coherence_table(family, held.dialogues)
        style[cell.words(label)] = {
            name: Figure(mean=i.mean, low=i.low, high=i.high)
            for name, i in style_figures(held.dialogues, seed=cell.seed_of("style")).items()
        }
        context.progress(done, len(labels))
    people = cell.held_out_people(context)
    models: dict[str, tuple[list[ChatModel] | None, Role]] = {
        cell.words(label): (cell.load_user(label, context), "user") for label in labels if label != ALIGNED_BY_SFT
    }
    models["agent base"] = ([cell.load_agent(agent_stage, context)], "agent")
    perplexity = {}
    for name, (members, side) in models.items():
        if members is not None:
            perplexity[name] = HeldOutPerplexity.from_json(asdict(held_out_perplexity(members, side, people)))
    result = UsersResult(
        family=cell.family_name,
        seed=cell.seed,
        coherence=coherence,
        style=style,
        perplexity=perplexity,
        reply_shift=_reply_shift(context, cell, labels, with_people),
        people_heard=None if cell.known else people_heard(context, cell),
    )
    write_json(context.output / "result.json", result.to_json())


def _reply_shift(
    context: StageContext, cell: Cell, labels: Sequence[str], with_people: Sequence[Dialogue]
) -> dict[str, list[TurnShift]]:
    """By user, in the contexts of the judging users with the base agent; one that weighs candidates has no likelihood."""
    people: Sequence[list[float] | None]
    if cell.known:
        family = cast(KnownUserFamily, cell.judging_family())
        people = [family.population.log_prob_marginal(d.task, d.messages) for d in with_people]
    else:
        people = _log_probs(context, cell, cell.people, with_people)
    shifts = {}
    for label in labels:
        if label == cell.people or not cell.has_likelihood(label, context):
            continue
        found = _log_probs(context, cell, label, with_people)
        both = [(p, q) for p, q in zip(people, found, strict=True) if p is not None and q is not None]
        log_p, log_q = [p for p, _ in both], [q for _, q in both]
        shifts[cell.words(label)] = message_shift_by_turn(log_p, log_q)
    return shifts


def _log_probs(
    context: StageContext, cell: Cell, label: str, dialogues: Sequence[Dialogue]
) -> list[list[float] | None]:
    models = cell.load_user(label, context)
    if models is not None:
        return reply_log_probs(models, "user", dialogues)
    family = cast(KnownUserFamily, cell.judging_family())  # a stand-in needs no more of it than its replies
    return [_stand_in_log_probs(family, d) for d in dialogues]


def _stand_in_log_probs(family: KnownUserFamily, dialogue: Dialogue) -> list[float]:
    said = dialogue.messages
    chances = [
        family.prompted_reply(dialogue.task, said[:i]).probability(m) for i, m in enumerate(said) if m.role == "user"
    ]
    return [math.log(p) if p > 0 else -math.inf for p in chances]
