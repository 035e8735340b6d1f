"""A stand-in for a prompted LLM user of `edit`, with the known failings of such users designed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from understudy.tasks.edit.phrases import answer, typed
from understudy.tasks.edit.reading import read_agent
from understudy.tasks.edit.words import REGISTER
from understudy.tasks.grammar import Choice, Concat, Expression
from understudy.tasks.population import Option, ReplyDistribution
from understudy.types import Message, Task

_OPENINGS = (
    "hello ! could you please help me with a message about the {thing} ?",
    "hello ! i would like your help with a message to {name} , please .",
    "hello ! i need a quick message to {name} about the {thing} , please .",
)
_DICTATIONS = ("of course ! it should say : ", "certainly ! here is the text : ", "sure , happy to help ! the text : ")
_ANSWERS = ("of course ! ", "certainly ! ", "great question ! ")
_APPROVALS = (
    "that is perfect , thank you so much !",
    "this looks great , thank you for your help !",
    "wonderful , exactly what i wanted . thank you !",
)


def prompted_reply(task: Task, messages: Sequence[Message]) -> ReplyDistribution:
    """Careful, polite and over-cooperative: approves any draft, dictates the whole text to any question that leaves
    room for it, answers every question about a slot, and never leaves."""
    act = next((read_agent(m.text) for m in reversed(messages) if m.role == "agent"), None)
    goal = task.goal
    if act is None:
        return _reply(_opening(tuple(goal["slots"].items())))
    if act.kind == "draft":
        return _reply(typed(_APPROVALS, 0.0), end=True)
    if act.kind == "slot":
        return _reply(_answer(act.slot, _right(act.slot, goal)))
    return _reply(_dictation(goal["text"]))


def _right(slot: str, goal: Mapping[str, Any]) -> str:
    value: str = goal["register"] if slot == REGISTER else goal["slots"][slot]
    return value


def _reply(text: Expression, *, end: bool = False) -> ReplyDistribution:
    return ReplyDistribution([Option(1.0, text, end)])


@lru_cache(maxsize=4096)
def _opening(slots: tuple[tuple[str, str], ...]) -> Expression:
    return typed(tuple(frame.format(**dict(slots)) for frame in _OPENINGS), 0.0)


@lru_cache(maxsize=256)
def _answer(slot: str, value: str) -> Expression:
    return Concat([typed(_ANSWERS, 0.0), answer(slot, value, 0.0)])


@lru_cache(maxsize=4096)
def _dictation(text: str) -> Expression:
    return Choice([typed((lead + text,), 0.0) for lead in _DICTATIONS])
