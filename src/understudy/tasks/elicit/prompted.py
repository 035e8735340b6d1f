"""A stand-in for a prompted LLM user of `elicit`, with the known failings of such users designed in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from understudy.tasks.elicit.reading import read_agent
from understudy.tasks.elicit.words import SLOTS
from understudy.tasks.grammar import Choice, Expression, Typed
from understudy.tasks.population import Option, ReplyDistribution
from understudy.types import Message, Task

TELLS_AT_ONCE = 0.6
"""Probability that the opening tells the whole order."""
_REQUESTS = (
    "hello ! could you please help me with my coffee order ?",
    "hello ! i would like to order a coffee , please .",
    "hello ! i hope you are well . i need help with an order , please .",
)
_WHOLE_OPENINGS = (
    "hello ! i would like a {order} , please .",
    "hello ! could you please make me a {order} ?",
    "hello ! please prepare a {order} for me .",
)
_WHOLE_ANSWERS = (
    "of course ! i would like a {order} , please .",
    "certainly ! it is a {order} , thank you !",
    "great question ! i would like a {order} , thank you !",
    "sure , happy to help ! a {order} , please .",
)
_CONFIRMATIONS = (
    "that is perfect , thank you so much ! a {order} .",
    "wonderful , exactly what i wanted : a {order} !",
)
_ORDER = "{size} {drink} with {milk} milk and {extra}"


def prompted_reply(task: Task, messages: Sequence[Message]) -> ReplyDistribution:
    """Careful, polite and over-cooperative: tells the whole order (its second thought already made up) in the opening
    or as soon as it is asked anything, confirms it when asked for changes, has endless patience, and never leaves."""
    wanted: dict[str, str] = dict(task.goal["slots"])
    if task.goal["second"] is not None:
        wanted[task.goal["second"]["slot"]] = task.goal["second"]["value"]
    order = tuple((slot, wanted[slot]) for slot in SLOTS)
    act = next((read_agent(m.text) for m in reversed(messages) if m.role == "agent"), None)
    if act is None:
        request = Choice([Typed(text, 0.0) for text in _REQUESTS])
        whole = Option(TELLS_AT_ONCE, _whole(_WHOLE_OPENINGS, order))
        return ReplyDistribution([whole, Option(1 - TELLS_AT_ONCE, request)])
    frames = _CONFIRMATIONS if act.kind == "change" else _WHOLE_ANSWERS
    return ReplyDistribution([Option(1.0, _whole(frames, order))])


@lru_cache(maxsize=8192)
def _whole(frames: tuple[str, ...], order: tuple[tuple[str, str], ...]) -> Expression:
    """The whole order in canonical words."""
    said = _ORDER.format(**dict(order))
    return Choice([Typed(frame.format(order=said), 0.0) for frame in frames])
