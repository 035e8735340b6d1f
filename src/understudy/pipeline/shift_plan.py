"""`understudy shift` as a run: what is asked, the stages that find it out, and the report that their files make."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from understudy.pipeline.given import Asked, PairConfig, cpu_seconds, family_of, model_folder, read_logs
from understudy.results import KnownUsers, ShiftReport, SideShift
from understudy.runs import RunFolder
from understudy.scheduler import Stage
from understudy.shift.excess import ExcessCrossEntropy
from understudy.shift.two_sample import TwoSample
from understudy.shift.verdict import verdict
from understudy.tasks.logged import Logged
from understudy.types import Dialogue

MIN_PAIRS = 100
"""A turn is measured where this many dialogues reach it."""

AGENT, USER, LOGS, CONTEXTS = "agent", "user", "logs", "contexts"
TOGETHER = ("agent-with-user-1", "agent-with-user-2")
"""Each holds its share of the dialogues: where nobody ends them they take longer than all the rest."""
FORETOLD = "foretold"
PEOPLE, REAL_USERS = "agent-with-people", "real-users"
"""Where the real users are a programme."""

T = TypeVar("T")

_STAGES = "understudy.pipeline.shifting"


class ShiftConfig(PairConfig):
    """What is measured: an agent, a user and logs."""

    dialogues: int
    """Most of the logs to use, drawn at random."""
    heard_words: int | None
    """See `Logged`; for logs without tasks."""
    reference: str | None = None
    """Another model of the people in the logs, which the user is measured against; see `understudy.shift.excess`."""

    def inputs(self) -> list[Path]:
        """As `PairConfig.inputs`, the reference included."""
        reference = None if self.reference is None else model_folder(self.reference, "user")
        return [*super().inputs(), *([reference] if reference else [])]


@lru_cache(maxsize=1)  # several stages in one worker ask for the same
def shift_of(config: ShiftConfig) -> Asked[ShiftConfig]:
    """Read the logs.

    Raises:
        LogError: if they cannot be read, or fewer than `MIN_PAIRS` dialogues hold a message of each side.
    """
    logged = read_logs(config.logs, at_least=MIN_PAIRS, at_most=config.dialogues, seed=config.seed)
    family = family_of(logged, config.heard_words, config.logs)
    if isinstance(family, Logged):
        logged = [_as_heard(dialogue, family) for dialogue in logged]
    return Asked(config, logged, family)


def shift_plan(asked: Asked[ShiftConfig]) -> list[Stage]:
    """The stages, those that take longest first."""
    config = asked.config

    def stage(name: str, function: str, label: str, needs: tuple[str, ...] = (), **more: int) -> Stage:
        return Stage(name, needs, f"{_STAGES}:{function}", {"config": config, **more}, label=label)

    plan = [
        *(
            stage(name, "the_two_together", f"the agent with the user, part {part} of {len(TOGETHER)}", part=part - 1)
            for part, name in enumerate(TOGETHER, start=1)
        ),
        stage(USER, "the_user", "the user in logged contexts"),
        stage(AGENT, "the_agent", "the agent in logged contexts"),
        stage(LOGS, "the_logs", "the logs against themselves"),
    ]
    if config.reference is not None:
        plan.append(stage(FORETOLD, "how_people_are_foretold", "people's words, foretold by the user"))
    if not asked.known:
        return [*plan, stage(CONTEXTS, "the_contexts", "where they lead", TOGETHER)]
    return [
        *plan,
        stage(PEOPLE, "the_agent_with_people", "the agent with real users"),
        stage(REAL_USERS, "the_real_users", "real users in logged contexts"),
        stage(CONTEXTS, "the_contexts", "where they lead, and people", (*TOGETHER, PEOPLE)),
    ]


def shift_report(run: RunFolder, asked: Asked[ShiftConfig]) -> ShiftReport:
    """Of a run whose stages are finished."""
    config = asked.config
    policy, simulator = (SideShift.from_json(run.result(name)) for name in (AGENT, USER))
    led_to = run.result(CONTEXTS)
    contexts = _read(TwoSample, led_to["contexts"])
    known = None
    if asked.known:
        people = run.result(PEOPLE)
        known = KnownUsers.from_json(
            {
                "simulated": led_to["simulated"],
                "null": run.result(REAL_USERS)["points"],
                "contexts": led_to["contexts_of_people"],
                "reward_name": asked.family.reward_name,
                "reward_max": asked.family.reward_max,
                **people,
            }
        )
    return ShiftReport(
        agent=config.agent,
        user=config.user,
        logs=str(config.logs),
        seed=config.seed,
        temperature=config.sampling.temperature,
        dialogues=len(asked.logged),
        persons=len({d.person for d in asked.logged}),
        policy=policy,
        simulator=simulator,
        contexts=contexts,
        null=_read(TwoSample, run.result(LOGS)["null"]),
        known=known,
        reference=config.reference,
        excess=_read(ExcessCrossEntropy, run.result(FORETOLD)["excess"]) if config.reference is not None else [],
        verdict=verdict(policy.points, simulator.points, contexts),
        failed=sum(run.result(name)["failed"] for name in TOGETHER),
        cpu_seconds=cpu_seconds(run, (stage.name for stage in shift_plan(asked))),
    )


def _read(kind: type[T], points: list[dict[str, Any]]) -> list[T]:
    found: list[T] = TypeAdapter(list[kind]).validate_python(points)  # type: ignore[valid-type]
    return found


def _as_heard(dialogue: Dialogue, family: Logged) -> Dialogue:
    return replace(dialogue, messages=tuple(replace(m, public=family.public(m)) for m in dialogue.messages))
