"""Dialogues of a policy written for a test with the users of a family."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from understudy.dialogue import dialogue
from understudy.tasks.base import KnownUserFamily
from understudy.types import Dialogue, Message, Task

Policy = Callable[[Task, tuple[Message, ...], np.random.Generator], Message]


def play(
    family: KnownUserFamily, policy: Policy, dialogues: int, *, prompted: bool = False, seed: int = 0
) -> list[Dialogue]:
    """With its real users, or with the stand-in."""
    played = []
    for i in range(dialogues):
        rng = np.random.default_rng([seed, i])
        task, person = family.sample_task(rng, str(i)), f"person{seed}-{i}"
        turns = dialogue(family, task, person)
        role, messages = next(turns)
        while True:
            if role == "agent":
                message = policy(task, messages, rng)
            elif prompted:
                message = family.prompted_reply(task, messages).sample(rng)
            else:
                message = family.population.reply(task, messages, family.population.persona(person)).sample(rng)
            try:
                role, messages = turns.send(message)
            except StopIteration as stop:
                played.append(stop.value)
                break
    return played
