"""Measures the shift of any agent with any user against any logs: `understudy shift`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from understudy.config import SamplingConfig
from understudy.converse import Appointment, Conversations, converse
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.speaker import ModelSpeaker, model_speaker
from understudy.models.states import message_states
from understudy.one_step import OneStep, one_step
from understudy.pipeline.given import Progress, family_of, read_logs, reward_of
from understudy.realism.perplexity import reply_log_probs
from understudy.results import KnownUsers, ShiftReport, SideShift, StepExample
from understudy.runs import stream_seed
from understudy.shift.exact import reward_bound
from understudy.shift.likelihood import context_shift_by_turn, message_shift_by_turn
from understudy.shift.steps import Act, StepShift, at_turns, step_shift
from understudy.shift.telling import LEAVES, telling_contexts, telling_words
from understudy.shift.two_sample import null_curve, shift_curve
from understudy.shift.verdict import verdict
from understudy.speaker import Speaker
from understudy.tasks import KNOWN_USERS
from understudy.tasks.base import KnownUserFamily, ReadsActs
from understudy.tasks.logged import Logged
from understudy.types import Dialogue, Message, Role
from understudy.users.aligned import AlignedSpeaker, user_speaker
from understudy.users.population import PopulationSpeaker

MIN_PAIRS = 100
"""A turn is measured where this many dialogues reach it."""
_EXAMPLES = 3
_LIKELIHOODS = 100
"""Dialogues whose replies are given a likelihood: a programme's takes tens of milliseconds per dialogue."""


def measure_shift_of(
    agent: Path | str,
    user: Path | str,
    logs: Path,
    *,
    sampling: SamplingConfig,
    dialogues: int,
    heard_words: int | None,
    seed: int,
    candidates: int,
    on_progress: Progress = lambda what, done, total: None,
) -> ShiftReport:
    """Everything that `understudy shift` tells.

    Args:
        agent, user: model folders, or names that transformers can load.
        logs: a file of `understudy logs import` or `logs sample`, or of a run.
        dialogues: most of the logs to use, drawn at random.
        heard_words: see `Logged`; for logs without tasks.
        candidates: replies that a user with a residual energy writes for each one it says.

    Raises:
        LogError: if the logs cannot be read, or fewer than `MIN_PAIRS` dialogues hold a message of each side.
        ModelError: if a model cannot be loaded.
    """
    began = time.perf_counter()
    logged = read_logs(logs, at_least=MIN_PAIRS, at_most=dialogues, seed=seed)
    family = family_of(logged, heard_words, logs)
    if isinstance(family, Logged):
        logged = [_as_heard(dialogue, family) for dialogue in logged]
    width = sampling.width
    agent_model, user_model = load_chat_model(agent), load_chat_model(user)
    speaks_for_agent = model_speaker(agent_model, "agent", sampling)
    speaks_for_user = user_speaker(user_model, user, sampling, candidates=candidates)
    act = cast(ReadsActs, family).act if hasattr(family, "act") else None
    policy = _side("agent", speaks_for_agent, agent_model, logged, act, width, seed, on_progress)
    simulator = _side("user", speaks_for_user, user_model, logged, act, width, seed, on_progress)

    def hold(with_user: Speaker, what: str) -> Conversations:
        """The agent on the logs' own tasks, so that nothing but its words and the user's can differ."""
        meetings = [
            Appointment(key, d.task, d.person, stream_seed(seed, "shift", str(key))) for key, d in enumerate(logged)
        ]
        total = len(meetings)
        return converse(
            family,
            meetings,
            speaks_for_agent,
            with_user,
            width=width,
            on_finished=lambda n: on_progress(what, n, total),
        )

    met = hold(speaks_for_user, "the agent with the user")
    contexts = shift_curve(met.dialogues, logged, seed=seed, min_alive=MIN_PAIRS, joint=True)
    known = None
    if family.name in KNOWN_USERS:
        real_users = PopulationSpeaker(cast(KnownUserFamily, family))
        with_people = hold(real_users, "the agent with real users")
        null = _side("user", real_users, user_model, logged, act, width, stream_seed(seed, "null"), on_progress).points
        known = _known(
            cast(KnownUserFamily, family), met.dialogues, with_people.dialogues, null, speaks_for_user, user_model, seed
        )
    return ShiftReport(
        agent=str(agent),
        user=str(user),
        logs=str(logs),
        seed=seed,
        temperature=sampling.temperature,
        dialogues=len(logged),
        persons=len({d.person for d in logged}),
        policy=policy,
        simulator=simulator,
        contexts=contexts,
        null=null_curve(logged, seed=seed, min_alive=MIN_PAIRS // 2),
        known=known,
        verdict=verdict(policy.points, simulator.points, contexts),
        failed=len(met.failures),
        seconds=time.perf_counter() - began,
    )


def _side(
    side: Role,
    speaker: Speaker,
    model: ChatModel,
    logged: Sequence[Dialogue],
    act: Act | None,
    width: int,
    seed: int,
    on_progress: Progress,
) -> SideShift:
    """One step off the logs in every logged context of this side; `model` reads for the test on states."""
    places = sum(m.role == side for d in logged for m in d.messages)
    what = f"the {side} in logged contexts"
    steps = list(
        one_step(
            speaker, side, logged, contexts=places, width=width, seed=stream_seed(seed, side),
            on_contexts=lambda done, total: on_progress(what, done, total),
        )
    )  # fmt: skip
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


def _known(
    family: KnownUserFamily,
    met: Sequence[Dialogue],
    with_people: Sequence[Dialogue],
    null: list[StepShift],
    speaker: ModelSpeaker,
    user_model: ChatModel,
    seed: int,
) -> KnownUsers:
    """The truth beside the estimates: what the agent earns with both, and how far the contexts are apart."""
    delta, context_shift, bound = [], [], None
    # One that weighs candidates has no likelihood; of others it is known at the temperature of 1 alone.
    if not isinstance(speaker, AlignedSpeaker) and speaker.temperature == 1:
        some = with_people[:_LIKELIHOODS]
        people = [family.population.log_prob_marginal(d.task, d.messages) for d in some]
        found = reply_log_probs([user_model], "user", some)
        whole = [i for i, q in enumerate(found) if q is not None]
        log_p, log_q = [people[i] for i in whole], [q for q in found if q is not None]
        delta = message_shift_by_turn(log_p, log_q, min_alive=1)
        context_shift = context_shift_by_turn([some[i] for i in whole], "user", log_p, log_q, min_alive=1)
        by_turn = np.array([point.tv for point in delta])
        bound = reward_bound(np.zeros(len(by_turn)), by_turn, family.reward_max, "terminal")
    return KnownUsers(
        simulated=reward_of(met, seed),
        real=reward_of(with_people, seed),
        reward_name=family.reward_name,
        reward_max=family.reward_max,
        null=null,
        contexts=shift_curve(met, with_people, seed=seed, min_alive=MIN_PAIRS, joint=True),
        delta=delta,
        context_shift=context_shift,
        bound=bound,
    )


def _as_heard(dialogue: Dialogue, family: Logged) -> Dialogue:
    return replace(dialogue, messages=tuple(replace(m, public=family.public(m)) for m in dialogue.messages))
