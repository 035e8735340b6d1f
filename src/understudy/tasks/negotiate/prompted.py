"""A stand-in for a prompted LLM user of `negotiate`, with the known failings of such users designed in.

It is polite, has one style, agrees to anything, never leaves, and never looks at its own values.
"""

from __future__ import annotations

from collections.abc import Sequence

from understudy.tasks.grammar import Literal
from understudy.tasks.negotiate.items import ITEMS, Counts, complement, is_talk, scenario_of, selection_text
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

_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "1": 1, "2": 2, "3": 3, "4": 4}
_NOUNS = {form: index for index, item in enumerate(ITEMS) for form in (item, f"{item}s")}
_EVERYTHING = frozenset({"everything", "rest"})
_NEGATIONS = frozenset({"no", "not", "dont", "don't", "without"})


def prompted_user(task: Task, messages: Sequence[Message]) -> ReplyDistribution:
    """Agrees to whatever was said, and selects what the agent's last wish that `wanted` can read leaves.

    It does so when the agent selects, which it is not shown, or by itself after `PATIENCE` messages of the agent. An agent
    that named nothing is left everything.
    """
    counts = scenario_of(task.goal).counts
    agent = [message for message in messages if message.role == "agent"]
    if not agent:
        return _one_of(OPENINGS)
    if is_talk(agent[-1]) and len(agent) < PATIENCE:
        return _one_of(AGREEMENTS)
    wishes = (wanted(message.text, counts) for message in reversed(agent) if is_talk(message))
    asked = next((found for found in wishes if found is not None), counts)
    return _one_of((selection_text(complement(asked, counts)),))


def wanted(text: str, counts: Counts) -> Counts | None:
    """What the agent asks for itself in a message, by fixed rules; None if it names no item.

    Items belong to the side named last before them (`i`, `me` or nobody: the agent; `you`: the user). A number before
    an item counts, else all of it are meant. If only the user's part is named, or the user gets part of something, the
    agent asks for what is left.
    """
    mine: list[int | None] = [None, None, None]
    yours: list[int | None] = [None, None, None]
    everything: list[int | None] | None = None
    side, number, negated = mine, -1, False
    for word in text.lower().split():
        if word in ("i", "me", "my", "i'd", "i'll", "ill", "i'm", "im"):
            side, negated = mine, False
        elif word in ("you", "your", "you'd", "u"):
            side, negated = yours, False
        elif word in _NEGATIONS:
            negated = True
        elif word in _NUMBERS:
            number = _NUMBERS[word]
        elif word in _EVERYTHING and not negated:
            everything, number = side, -1
        elif word in _NOUNS:
            item = _NOUNS[word]
            if not negated:
                side[item] = min(number, counts[item]) if number >= 0 else counts[item]
            number = -1
    if everything is None and all(n is None for n in (*mine, *yours)):
        return None
    only_yours = all(n is None for n in mine)
    result = []
    for item, count in enumerate(counts):
        asked, given = mine[item], yours[item]
        if asked is not None:
            result.append(asked)
        elif given is not None:
            result.append(count - given)
        else:
            result.append(count if everything is mine or (only_yours and everything is None) else 0)
    return result[0], result[1], result[2]


def _one_of(texts: Sequence[str]) -> ReplyDistribution:
    return ReplyDistribution([Option(1.0, Literal(text)) for text in texts])
