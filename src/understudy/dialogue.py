"""Whose turn it is and when a dialogue ends: the one place where turn logic lives (no I/O, no models)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import cast

from understudy.tasks.base import KeepsPrivate, TaskFamily
from understudy.types import Dialogue, Message, Role, Task

OUT_OF_TURNS = "turns"

Turns = Generator[tuple[Role, tuple[Message, ...]], Message, Dialogue]
"""Yields whose turn it is and what was said, is sent that side's message, returns the finished dialogue."""


def dialogue(family: TaskFamily, task: Task, person: str, *, most_agent_turns: int | None = None) -> Turns:
    """One dialogue, turn by turn, from its opening.

    The dialogue is over when a side ends it, when the family says so, or after `family.max_agent_turns` agent messages.

    Args:
        most_agent_turns: it is over after so many agent messages already, with the same ending; None for the family's alone.

    Raises:
        ValueError: if the message sent is not of the side that was asked.
    """
    messages: tuple[Message, ...] = ()
    turn: Role = task.opener
    most = family.max_agent_turns if most_agent_turns is None else min(family.max_agent_turns, most_agent_turns)
    public = cast(KeepsPrivate, family).public if hasattr(family, "public") else None
    while True:
        message = yield turn, messages
        if message.role != turn:
            raise ValueError(f"asked the {turn}, was sent a message of the {message.role}")
        if public is not None:
            message = replace(message, public=public(message))
        messages = (*messages, message)
        ending = family.ending(task, messages)
        if ending is None and message.end:
            ending = f"{message.role} ended"
        if ending is None and sum(m.role == "agent" for m in messages) >= most:
            ending = OUT_OF_TURNS
        if ending is not None:
            if len(messages) == 1:
                # Over before the other side spoke: the opener left, whether it said so by its end or by its words.
                messages = (replace(message, end=True),)
            return Dialogue(task, person, messages, family.outcome(task, messages, ending))
        messages = (*messages[:-1], replace(message, shown=family.shown(task, messages)))
        turn = _other(turn)


def _other(role: Role) -> Role:
    return "user" if role == "agent" else "agent"
