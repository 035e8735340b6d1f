"""Logs of known users: the population talking with the family's imperfect scripted agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from understudy.converse import Appointment, converse
from understudy.errors import ConfigError
from understudy.runs import stream, stream_seed
from understudy.tasks import KNOWN_USERS, is_known, load_family
from understudy.tasks.base import KnownUserFamily
from understudy.tasks.heldout import draw_task
from understudy.types import Dialogue
from understudy.users.population import PopulationSpeaker
from understudy.users.script import ScriptSpeaker


def known_family(name: str, data: Path | None = None) -> KnownUserFamily:
    """The family by name.

    Args:
        data: the folder that its tasks come from, for families that need one.

    Raises:
        ConfigError: if it is unknown, or its users are people or logs rather than a programme.
        LogError: if the folder does not hold what the family needs.
    """
    family = load_family(name, data) if is_known(name) else None
    if family is None:
        raise ConfigError(
            f"the users of {name!r} are not a programme", where="task", fix=f"use one of {', '.join(KNOWN_USERS)}"
        )
    return cast(KnownUserFamily, family)


def known_logs(
    family: KnownUserFamily, count: int, people: int, seed: int, on_finished: Callable[[int], None] | None = None
) -> list[Dialogue]:
    """`count` dialogues of `people` different persons (each dialogue's person is drawn at random)."""
    meetings = []
    held_out = None if hasattr(family, "for_judging") else False
    for key in range(count):
        name = f"log-{key}"
        person = f"person-{int(stream(seed, 'person', name).integers(people))}-{seed}"
        task = draw_task(family, stream(seed, "task", name), name, held_out=held_out)
        meetings.append(Appointment(key, task, person, stream_seed(seed, "dialogue", name)))
    held = converse(
        family, meetings, ScriptSpeaker(family), PopulationSpeaker(family), width=256, on_finished=on_finished
    )
    return held.dialogues
