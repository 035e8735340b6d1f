"""A stand-in for a prompted LLM user of `document`, with the known failings of such users designed in."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.tasks.document.reading import read_agent
from understudy.tasks.grammar import Choice, Literal
from understudy.tasks.population import Option, ReplyDistribution
from understudy.types import Message, Task

_OPENINGS = (
    "hello ! could you please help me with a text about {topic} ?",
    "hello ! i would love to have a text about {topic} , please .",
)
_DICTATIONS = (
    "of course ! here it is : {text}",
    "certainly ! it should say : {text}",
    "happy to help ! the text : {text}",
)
_APPROVALS = (
    "that is perfect , thank you so much !",
    "this looks great , thank you for your help !",
    "wonderful , exactly what i wanted . thank you !",
)


def prompted_reply(task: Task, messages: Sequence[Message]) -> ReplyDistribution:
    """Polite and over-cooperative: approves any draft, dictates the whole text to anything else, and never leaves."""
    act = next((read_agent(m.text) for m in reversed(messages) if m.role == "agent"), None)
    if act is not None and act.kind == "draft":
        return _reply(_APPROVALS, task, end=True)
    return _reply(_OPENINGS if act is None else _DICTATIONS, task)


def _reply(frames: Sequence[str], task: Task, *, end: bool = False) -> ReplyDistribution:
    filled = [Literal(frame.format(topic=task.goal["topic"], text=task.goal["text"])) for frame in frames]
    return ReplyDistribution([Option(1.0, Choice(filled), end)])
