"""The stages of `understudy forecast`: what an agent will earn with real users, from a simulated user and logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from understudy.converse import Appointment, Conversations, converse
from understudy.evaluate.forecast import foretell
from understudy.evaluate.reactions import reached_by_turn, take_up
from understudy.logs.read import read_dialogues, write_dialogues
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.speaker import ModelSpeaker, model_speaker
from understudy.models.states import context_states
from understudy.pipeline.forecast_plan import SIMULATED, ForecastConfig, forecast_of
from understudy.pipeline.given import Asked, finished, reward_of
from understudy.results import Foretold
from understudy.runs import stream, stream_seed, write_json
from understudy.scheduler import StageContext
from understudy.speaker import Speaker
from understudy.tasks.base import KnownUserFamily, TaskFamily
from understudy.types import Dialogue
from understudy.users.load import user_speaker
from understudy.users.population import PopulationSpeaker

_DIALOGUES = "dialogues.jsonl"


class Correction(NamedTuple):
    """The forecast, and how many logged replies could not be taken up to the end of their dialogue."""

    foretold: Foretold
    failed: int


def simulate(context: StageContext, config: ForecastConfig) -> None:
    """The agent with the user: `dialogues.jsonl` and their reward.

    Raises:
        ModelError: if fewer than two dialogues could be finished.
    """
    asked = forecast_of(config)
    user = user_speaker(load_chat_model(config.user), config.user, config.sampling, candidates=config.candidates)
    met = _met(asked, user, "the user", context)
    dialogues = finished(met, "agent and user")
    write_dialogues(context.output / _DIALOGUES, dialogues)
    reward = reward_of(dialogues, config.seed).to_json()
    result = {"reward": reward, "dialogues": len(dialogues), "failed": len(met.failures)}
    write_json(context.output / "result.json", result)


def meet_people(context: StageContext, config: ForecastConfig) -> None:
    """The agent with real users, which are a programme: the truth."""
    asked = forecast_of(config)
    met = _met(asked, PopulationSpeaker(cast(KnownUserFamily, asked.family)), "real users", context)
    reward = reward_of(finished(met, "the agent and real users"), config.seed)
    write_json(context.output / "result.json", {"reward": reward.to_json()})


def correct(context: StageContext, config: ForecastConfig) -> None:
    """Logged dialogues taken up after a person's reply and after the user's: what that does to the simulated reward."""
    asked = forecast_of(config)
    reader = load_chat_model(config.user)
    found = corrected(
        asked.family,
        _agent(config),
        user_speaker(reader, config.user, config.sampling, candidates=config.candidates),
        reader,
        asked.logged,
        read_dialogues(context.input(SIMULATED) / _DIALOGUES),
        replies=config.replies,
        width=config.sampling.width,
        seed=config.seed,
        on_finished=context.progress,
    )
    result = {"foretold": found.foretold.to_json(), "failed": found.failed}
    write_json(context.output / "result.json", result)


def corrected(
    family: TaskFamily,
    agent: Speaker,
    user: Speaker,
    reader: ChatModel,
    logged: Sequence[Dialogue],
    simulated: Sequence[Dialogue],
    *,
    replies: int,
    width: int,
    seed: int,
    on_finished: Callable[[int, int], None] = lambda done, total: None,
) -> Correction:
    """The reward of an agent with the people of the logs, from its `simulated` dialogues, whoever plays the user.

    Args:
        reader: a model of the user's side: contexts that it answers alike count as alike. The user's own, where it has one.
        replies: logged ones to take up.
    """
    taken = take_up(
        family, agent, user, logged, count=replies, reached=reached_by_turn(simulated), width=width, seed=seed,
        on_finished=on_finished,
    )  # fmt: skip
    foretold = foretell(
        simulated,
        taken.reactions,
        lambda contexts: context_states(reader, "user", [(task.user_prompt, said) for task, said in contexts]),
        family.reward_max,
        seed=seed,
    )
    return Correction(foretold, taken.failed)


def hold(
    family: TaskFamily,
    agent: Speaker,
    user: Speaker,
    logged: Sequence[Dialogue],
    count: int,
    who: str,
    width: int,
    seed: int,
    on_finished: Callable[[int], None] | None = None,
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
        on_finished=on_finished,
    )


def _met(asked: Asked[ForecastConfig], user: Speaker, who: str, context: StageContext) -> Conversations:
    config = asked.config
    return hold(
        asked.family,
        _agent(config),
        user,
        asked.logged,
        config.dialogues,
        who,
        config.sampling.width,
        config.seed,
        on_finished=lambda done: context.progress(done, config.dialogues),
    )


def _agent(config: ForecastConfig) -> ModelSpeaker:
    return model_speaker(load_chat_model(config.agent), "agent", config.sampling)
