"""The stages of `understudy shift`: each measures one thing of an agent, a user and logs, into its `result.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from understudy.converse import Appointment, Conversations, converse
from understudy.logs.read import read_dialogues, write_dialogues
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.speaker import model_speaker
from understudy.models.states import context_states, message_states
from understudy.one_step import OneStep, one_step
from understudy.pipeline.given import Asked, finished, reward_of
from understudy.pipeline.shift_plan import MIN_PAIRS, PEOPLE, TOGETHER, ShiftConfig, shift_of
from understudy.realism.perplexity import reply_log_probs
from understudy.results import SideShift, StepExample
from understudy.runs import stream_seed, write_json
from understudy.scheduler import StageContext
from understudy.shift.context_sets import ContextSet
from understudy.shift.exact import reward_bound
from understudy.shift.excess import excess_cross_entropy
from understudy.shift.likelihood import context_shift_by_turn, message_shift_by_turn
from understudy.shift.steps import Act, at_turns, step_shift
from understudy.shift.telling import LEAVES, telling_contexts, telling_words
from understudy.shift.two_sample import null_curve, shift_curve
from understudy.speaker import Speaker
from understudy.tasks.base import KnownUserFamily, ReadsActs
from understudy.types import Dialogue, Message, Role
from understudy.users.load import user_speaker
from understudy.users.population import PopulationSpeaker
from understudy.users.residual import ResidualEnergy

_DIALOGUES = "dialogues.jsonl"
_EXAMPLES = 3
_SETS: tuple[ContextSet, ...] = ("words", "conduct", "states")
_LIKELIHOODS = 100
"""Dialogues whose replies are given a likelihood: a programme's takes tens of milliseconds per dialogue."""


def the_agent(context: StageContext, config: ShiftConfig) -> None:
    """The agent in place of the one in the logs: a `SideShift`."""
    model = load_chat_model(config.agent)
    speaker = model_speaker(model, "agent", config.sampling)
    found = _side("agent", speaker, model, shift_of(config), config.seed, context)
    write_json(context.output / "result.json", found.to_json())


def the_user(context: StageContext, config: ShiftConfig) -> None:
    """The user in people's place: a `SideShift`."""
    model = load_chat_model(config.user)
    speaker = user_speaker(model, config.user, config.sampling, candidates=config.candidates)
    found = _side("user", speaker, model, shift_of(config), config.seed, context)
    write_json(context.output / "result.json", found.to_json())


def the_real_users(context: StageContext, config: ShiftConfig) -> None:
    """Real users in their own place: what no shift looks like. The user's model reads for the test on states."""
    asked = shift_of(config)
    speaker = PopulationSpeaker(cast(KnownUserFamily, asked.family))
    seed = stream_seed(config.seed, "null")
    found = _side("user", speaker, load_chat_model(config.user), asked, seed, context)
    write_json(context.output / "result.json", found.to_json())


def how_people_are_foretold(context: StageContext, config: ShiftConfig) -> None:
    """What people said, by the user and by another model of them: `ExcessCrossEntropy` by turn."""
    assert config.reference is not None  # the plan has this stage where there is one
    logged = shift_of(config).logged
    temperature = config.sampling.temperature or 1.0  # what is never drawn from has probabilities all the same
    models = [load_chat_model(name) for name in (config.user, config.reference)]
    user, other = (reply_log_probs([model], "user", logged, temperature) for model in models)
    both = [(u, o) for u, o in zip(user, other, strict=True) if u is not None and o is not None]
    points = excess_cross_entropy([u for u, _ in both], [[o for _, o in both]], seed=config.seed, min_alive=MIN_PAIRS)
    write_json(context.output / "result.json", {"excess": [asdict(point) for point in points]})


def the_two_together(context: StageContext, config: ShiftConfig, part: int) -> None:
    """Every so many of the logs' tasks, from `part` on: the agent with the user."""
    asked = shift_of(config)
    user = user_speaker(load_chat_model(config.user), config.user, config.sampling, candidates=config.candidates)
    held = _hold(asked, user, slice(part, None, len(TOGETHER)), context)
    _write(asked, finished(held, "agent and user"), context)
    write_json(context.output / "result.json", {"failed": len(held.failures)})


def the_logs(context: StageContext, config: ShiftConfig) -> None:
    """The logs against themselves, in two halves."""
    states = partial(context_states, load_chat_model(config.agent), "agent")
    logged = shift_of(config).logged
    curve = null_curve(logged, config.seed, min_alive=MIN_PAIRS // 2, sets=_SETS, states=states)
    write_json(context.output / "result.json", {"null": [asdict(point) for point in curve]})


def the_agent_with_people(context: StageContext, config: ShiftConfig) -> None:
    """The agent with real users, which are a programme; how likely their replies are to the user, where it can tell."""
    asked = shift_of(config)
    family = cast(KnownUserFamily, asked.family)
    held = finished(_hold(asked, PopulationSpeaker(family), slice(None), context), "the agent and real users")
    _write(asked, held, context)
    result: dict[str, Any] = {
        "real": reward_of(held, config.seed).to_json(),
        "delta": [],
        "context_shift": [],
        "bound": None,
    }
    temperature = config.sampling.temperature
    # A user that weighs candidates has no likelihood, and one that never draws gives its replies no probability.
    if ResidualEnergy.load(Path(config.user)) is None and temperature > 0:
        result |= _likelihoods(family, held[:_LIKELIHOODS], load_chat_model(config.user), temperature)
    write_json(context.output / "result.json", result)


def the_contexts(context: StageContext, config: ShiftConfig) -> None:
    """What agent and user lead to, against the logs; and against what people would have led to, where that is known."""
    asked = shift_of(config)
    met = [d for name in TOGETHER for d in read_dialogues(context.input(name) / _DIALOGUES)]

    states = partial(context_states, load_chat_model(config.agent), "agent")

    def against(others: Sequence[Dialogue]) -> list[dict[str, Any]]:
        curve = shift_curve(met, others, config.seed, min_alive=MIN_PAIRS, sets=_SETS, states=states)
        return [asdict(point) for point in curve]

    result: dict[str, Any] = {"contexts": against(asked.logged)}
    if asked.known:
        result["contexts_of_people"] = against(read_dialogues(context.input(PEOPLE) / _DIALOGUES))
        result["simulated"] = reward_of(met, config.seed).to_json()
    write_json(context.output / "result.json", result)


def _write(asked: Asked[ShiftConfig], dialogues: Sequence[Dialogue], context: StageContext) -> None:
    if not asked.known:  # a file holds no NaN, and nobody asks for a reward that is not known
        dialogues = [replace(d, outcome=replace(d.outcome, reward=0.0)) for d in dialogues]
    write_dialogues(context.output / _DIALOGUES, dialogues)


def _hold(asked: Asked[ShiftConfig], user: Speaker, part: slice, context: StageContext) -> Conversations:
    """The agent on the logs' own tasks, so that nothing but its words and the user's can differ."""
    config = asked.config
    meetings = [
        Appointment(key, d.task, d.person, stream_seed(config.seed, "shift", str(key)))
        for key, d in [*enumerate(asked.logged)][part]
    ]
    return converse(
        asked.family,
        meetings,
        model_speaker(load_chat_model(config.agent), "agent", config.sampling),
        user,
        width=config.sampling.width,
        on_finished=lambda done: context.progress(done, len(meetings)),
    )


def _likelihoods(
    family: KnownUserFamily, dialogues: Sequence[Dialogue], user: ChatModel, temperature: float
) -> dict[str, Any]:
    """The user's replies against real ones by their probabilities, and what that can do to the reward."""
    people = [family.population.log_prob_marginal(d.task, d.messages) for d in dialogues]
    found = reply_log_probs([user], "user", dialogues, temperature)
    whole = [i for i, q in enumerate(found) if q is not None]
    log_p, log_q = [people[i] for i in whole], [q for q in found if q is not None]
    delta = message_shift_by_turn(log_p, log_q, min_alive=1)
    contexts = context_shift_by_turn([dialogues[i] for i in whole], "user", log_p, log_q, min_alive=1)
    by_turn = np.array([point.tv for point in delta])
    return {
        "delta": [asdict(point) for point in delta],
        "context_shift": [asdict(point) for point in contexts],
        "bound": reward_bound(np.zeros(len(by_turn)), by_turn, family.reward_max, "terminal"),
    }


def _side(
    side: Role, speaker: Speaker, model: ChatModel, asked: Asked[ShiftConfig], seed: int, context: StageContext
) -> SideShift:
    """One step off the logs in every logged context of this side; `model` reads for the test on states."""
    logged, family = asked.logged, asked.family
    steps = one_step(
        speaker,
        side,
        logged,
        contexts=sum(m.role == side for d in logged for m in d.messages),
        width=asked.config.sampling.width,
        seed=stream_seed(seed, side),
        on_contexts=context.progress,
    )
    act: Act | None = cast(ReadsActs, family).act if hasattr(family, "act") else None
    told = step_shift(steps, seed=seed, act=act, states=partial(message_states, model, side), min_pairs=MIN_PAIRS)
    by_turn = at_turns(steps)
    worst = max(told.points, key=lambda p: (p.tv_low, p.test.auc), default=None)
    return SideShift(
        points=told.points,
        words={turn: telling_words(by_turn[turn]) for turn in told.margins},
        contexts={turn: telling_contexts(by_turn[turn], margins) for turn, margins in told.margins.items()},
        examples=[] if worst is None else _examples(by_turn[worst.turn], told.margins[worst.turn]),
    )


def _examples(steps: Sequence[OneStep], margins: NDArray[np.float64]) -> list[StepExample]:
    """Those told apart most surely, each with other words."""
    found: dict[str, StepExample] = {}
    for place in np.argsort(-margins):
        step = steps[place]
        if len(found) == _EXAMPLES or margins[place] <= 0:
            break
        answered = step.before[-1].text if step.before else ""
        found.setdefault(
            step.message.text,
            StepExample(
                turn=step.turn,
                goal=step.dialogue.task.user_prompt,
                answered=answered,
                logged=_as_said(step.logged),
                own=_as_said(step.message),
            ),
        )
    return list(found.values())


def _as_said(message: Message) -> str:
    return f"{message.text} {LEAVES}".strip() if message.end else message.text
