"""A stand-in for a prompted LLM user of `negotiate`, with the known failings of such users designed in.

It is polite, has one style, agrees to anything, never leaves, and never looks at its own values.
"""

from __future__ import annotations

from collections.abc import Sequence

from understudy.tasks.grammar import Literal
from understudy.tasks.negotiate.items import complement, is_talk, scenario_of, selection_text
from understudy.tasks.negotiate.offers import on_the_table
from understudy.tasks.population import Option, ReplyDistribution
from understudy.types import Message, Task

PATIENCE = 4
"""After this many agent messages it selects by itself."""

OPENINGS = (
    "hi there ! what would you like ?",
    "hello ! which items would you like to have ?",
    "hi ! please tell me what you need .",
)
AGREEMENTS = (
    "ok , deal .",
    "sure , that works for me . deal !",
    "that sounds great , deal .",
    "of course , you can have that . deal !",
    "yes , that is perfectly fine with me .",
)


def prompted_user(task: Task, messages: Sequence[Message]) -> ReplyDistribution:
    """Agrees to whatever was said, and selects what the agent's last offer that can be read leaves.

    It does so when the agent selects, which it is not shown, or by itself after `PATIENCE` messages of the agent. An agent
    that named nothing is left everything. What itself said counts for nothing.
    """
    counts = scenario_of(task.goal).counts
    agent = [message for message in messages if message.role == "agent"]
    if not agent:
        return _one_of(OPENINGS)
    if is_talk(agent[-1]) and len(agent) < PATIENCE:
        return _one_of(AGREEMENTS)
    asked = on_the_table(((True, message.text) for message in agent if is_talk(message)), counts) or counts
    return _one_of((selection_text(complement(asked, counts)),))


def _one_of(texts: Sequence[str]) -> ReplyDistribution:
    return ReplyDistribution([Option(1.0, Literal(text)) for text in texts])
