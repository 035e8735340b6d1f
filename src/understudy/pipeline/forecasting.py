"""Foretells what an agent will earn with real users, from a simulated user and logs: `understudy forecast`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from understudy.config import SamplingConfig
from understudy.converse import Appointment, Conversations, converse
from understudy.errors import LogError, ModelError
from understudy.evaluate.forecast import foretell
from understudy.evaluate.reactions import reached_by_turn, take_up
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.speaker import model_speaker
from understudy.models.states import context_states
from understudy.pipeline.given import Progress, family_of, read_logs, reward_of
from understudy.results import ForecastReport, Foretold
from understudy.runs import stream, stream_seed
from understudy.speaker import Speaker
from understudy.tasks import KNOWN_USERS, load_family
from understudy.tasks.base import KnownUserFamily, TaskFamily
from understudy.tasks.logged import Logged
from understudy.types import Dialogue
from understudy.users.aligned import user_speaker
from understudy.users.population import PopulationSpeaker

MIN_DIALOGUES = 100
_WIDE = 0.6
"""An interval that holds more than this share of all rewards says nothing."""
_UNCOVERED = 0.75
_MANY = 0.1
"""Share of the dialogues that must come to a turn for it to matter."""


class Forecast(NamedTuple):
    """The forecast, the simulated dialogues that it corrects, and how many dialogues could not be finished."""

    foretold: Foretold
    simulated: list[Dialogue]
    failed: int


def forecast_of(
    agent: Path | str,
    user: Path | str,
    logs: Path,
    *,
    task: str | None,
    sampling: SamplingConfig,
    candidates: int,
    dialogues: int,
    reactions: int,
    seed: int,
    on_progress: Progress = lambda what, done, total: None,
) -> ForecastReport:
    """Everything that `understudy forecast` tells.

    Args:
        agent, user: model folders, or names that transformers can load.
        logs: dialogues of real people with an agent, with their tasks.
        task: a family of one's own, `package.module:Class`; None for the one that the logs name.
        candidates: replies that a user with a residual energy writes for each one it says.
        dialogues: simulated ones.
        reactions: logged replies to take up.

    Raises:
        LogError: if the logs cannot be read, are fewer than `MIN_DIALOGUES`, or have no tasks with a reward.
        ModelError: if a model cannot be loaded.
        ConfigError: if the family cannot be loaded.
    """
    began = time.perf_counter()
    logged = read_logs(logs, at_least=MIN_DIALOGUES, at_most=None, seed=seed)
    family = load_family(task) if task is not None else family_of(logged, None, logs)
    of_other = {d.task.family for d in logged} - {family.name}
    if isinstance(family, Logged) or of_other:
        raise LogError(
            "holds no tasks, so that there is no reward to foretell"
            if isinstance(family, Logged)
            else f"holds dialogues of {', '.join(map(repr, sorted(of_other)))}, not of {family.name!r}",
            where=str(logs),
            fix="give logs as `understudy logs sample` writes them, with `task` and `outcome`; and --task for a family of "
            "your own (examples/own_task.py)",
        )
    width = sampling.width
    speaks_for_agent = model_speaker(load_chat_model(agent), "agent", sampling)
    user_model = load_chat_model(user)
    speaks_for_user = user_speaker(user_model, user, sampling, candidates=candidates)
    found = forecast(
        family, speaks_for_agent, speaks_for_user, user_model, logged,
        dialogues=dialogues, reactions=reactions, width=width, seed=seed, on_progress=on_progress,
    )  # fmt: skip
    real = None
    if family.name in KNOWN_USERS:
        people = PopulationSpeaker(cast(KnownUserFamily, family))
        met = hold(family, speaks_for_agent, people, logged, dialogues, "real users", width, seed, on_progress)
        real = reward_of(met.dialogues, seed)
    return ForecastReport(
        agent=str(agent),
        user=str(user),
        logs=str(logs),
        seed=seed,
        temperature=sampling.temperature,
        dialogues=len(logged),
        simulated_dialogues=len(found.simulated),
        reward_name=family.reward_name,
        simulated=reward_of(found.simulated, seed),
        foretold=found.foretold,
        logged=reward_of(logged, seed),
        real=real,
        advice=advice(found.foretold),
        failed=found.failed,
        seconds=time.perf_counter() - began,
    )


def forecast(
    family: TaskFamily,
    agent: Speaker,
    user: Speaker,
    reader: ChatModel,
    logged: Sequence[Dialogue],
    *,
    dialogues: int,
    reactions: int,
    width: int,
    seed: int,
    on_progress: Progress = lambda what, done, total: None,
) -> Forecast:
    """The reward of an agent with the people of the logs, whoever plays the user.

    Args:
        reader: a model of the user's side: contexts that it answers alike count as alike. The user's own, where it has one.
    """
    met = hold(family, agent, user, logged, dialogues, "the user", width, seed, on_progress)
    if not met.traces:
        reason = met.failures[0].reason
        raise ModelError(
            f"none of {len(met.failures)} dialogues of agent and user could be finished: {reason}",
            fix="for a context that is too short lower sampling.max_message_tokens",
        )
    taken = take_up(
        family, agent, user, logged, count=reactions, reached=reached_by_turn(met.dialogues), width=width, seed=seed,
        on_finished=lambda done, total: on_progress("logged replies taken up", done, total),
    )  # fmt: skip
    foretold = foretell(
        met.dialogues,
        taken.reactions,
        lambda contexts: context_states(reader, "user", [(task.user_prompt, said) for task, said in contexts]),
        family.reward_max,
        seed=seed,
    )
    return Forecast(foretold, met.dialogues, len(met.failures) + taken.failed)


def hold(
    family: TaskFamily,
    agent: Speaker,
    user: Speaker,
    logged: Sequence[Dialogue],
    count: int,
    who: str,
    width: int,
    seed: int,
    on_progress: Progress,
) -> Conversations:
    """Dialogues about the logs' own tasks in random order, over and over until there are `count`."""
    order = stream(seed, "tasks").permutation(len(logged))
    meetings = [
        Appointment(key, logged[order[key % len(logged)]].task, f"{who} {key}", stream_seed(seed, who, str(key)))
        for key in range(count)
    ]
    return converse(
        family,
        meetings,
        agent,
        user,
        width=width,
        on_finished=lambda done: on_progress(f"the agent with {who}", done, count),
    )


def advice(foretold: Foretold) -> str:
    """What the forecast means, in a sentence."""
    wide = foretold.high - foretold.low > _WIDE * foretold.reward_max
    bare = [e.turn for e in foretold.effects if e.covered < _UNCOVERED and e.reached >= _MANY]
    if foretold.unseen_from is not None and foretold.unseen_share >= _MANY:
        bare.append(foretold.unseen_from)
    if not bare:
        known = "Cannot tell yet" if wide else "The logs have the contexts that this agent leads people to"
        return f"{known}: more simulated dialogues and logged replies narrow the interval."
    first = min(bare)
    elsewhere = f"this agent leads people to contexts that the logs do not have, from the user's message {first} on"
    if wide:
        return f"Cannot tell: {elsewhere}, so that the reward is unknown. Collect dialogues of this agent with people."
    return f"The interval is as wide as it is because {elsewhere}: dialogues of this agent with people would narrow it."
