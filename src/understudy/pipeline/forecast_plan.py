"""`understudy forecast` as a run: what is asked, the stages that find it out, and the report that their files make."""

from __future__ import annotations

from functools import lru_cache

from understudy.errors import LogError
from understudy.pipeline.given import Asked, PairConfig, cpu_seconds, family_of, read_logs, reward_of
from understudy.results import Figure, ForecastReport, Foretold
from understudy.runs import RunFolder
from understudy.scheduler import Stage
from understudy.tasks import load_family
from understudy.tasks.logged import Logged

MIN_DIALOGUES = 100
_WIDE = 0.6
"""An interval that holds more than this share of all rewards says nothing."""
_UNCOVERED = 0.75
_MANY = 0.1
"""Share of the dialogues that must come to a turn for it to matter."""

SIMULATED, FORETOLD = "agent-with-user", "foretold"
PEOPLE = "agent-with-people"
"""A stage where the real users are a programme."""

_STAGES = "understudy.pipeline.forecasting"


class ForecastConfig(PairConfig):
    """What is foretold: the reward of an agent, from a user and logs."""

    task: str | None
    """A family of one's own, `package.module:Class`; null for the one that the logs name."""
    dialogues: int
    """Simulated ones."""
    replies: int
    """Logged replies to take up."""


@lru_cache(maxsize=1)  # several stages in one worker ask for the same
def forecast_of(config: ForecastConfig) -> Asked[ForecastConfig]:
    """Read the logs.

    Raises:
        LogError: if they cannot be read, are fewer than `MIN_DIALOGUES`, or have no tasks with a reward.
        ConfigError: if the family cannot be loaded.
    """
    logged = read_logs(config.logs, at_least=MIN_DIALOGUES, at_most=None, seed=config.seed)
    family = load_family(config.task) if config.task is not None else family_of(logged, None, config.logs)
    of_other = {d.task.family for d in logged} - {family.name}
    if isinstance(family, Logged) or of_other:
        raise LogError(
            "holds no tasks, so that there is no reward to foretell"
            if isinstance(family, Logged)
            else f"holds dialogues of {', '.join(map(repr, sorted(of_other)))}, not of {family.name!r}",
            where=str(config.logs),
            fix="give logs as `understudy logs sample` writes them, with `task` and `outcome`; and --task for a "
            "family of your own (examples/own_task.py)",
        )
    return Asked(config, logged, family)


def forecast_plan(asked: Asked[ForecastConfig]) -> list[Stage]:
    """The stages."""
    kwargs = {"config": asked.config}
    plan = [
        Stage(SIMULATED, (), f"{_STAGES}:simulate", kwargs, label="the agent with the user"),
        Stage(FORETOLD, (SIMULATED,), f"{_STAGES}:correct", kwargs, label="logged replies taken up"),
    ]
    if not asked.known:
        return plan
    return [*plan, Stage(PEOPLE, (), f"{_STAGES}:meet_people", kwargs, label="the agent with real users")]


def forecast_report(run: RunFolder, asked: Asked[ForecastConfig]) -> ForecastReport:
    """Of a run whose stages are finished."""
    config = asked.config
    simulated, corrected = run.result(SIMULATED), run.result(FORETOLD)
    foretold = Foretold.from_json(corrected["foretold"])
    return ForecastReport(
        agent=config.agent,
        user=config.user,
        logs=str(config.logs),
        seed=config.seed,
        temperature=config.sampling.temperature,
        dialogues=len(asked.logged),
        simulated_dialogues=simulated["dialogues"],
        reward_name=asked.family.reward_name,
        simulated=Figure.from_json(simulated["reward"]),
        foretold=foretold,
        logged=reward_of(asked.logged, config.seed),
        real=Figure.from_json(run.result(PEOPLE)["reward"]) if asked.known else None,
        advice=advice(foretold),
        failed=simulated["failed"] + corrected["failed"],
        cpu_seconds=cpu_seconds(run, (stage.name for stage in forecast_plan(asked))),
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
