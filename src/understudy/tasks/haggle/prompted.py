"""The stand-in for a prompted LLM user: it tells what it values, takes any offer, never leaves, has one style.

Its failings are designed in. They show what an agent learns from such a user, not what prompted LLMs do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from understudy.tasks.grammar import Concat, Expression, Literal
from understudy.tasks.haggle.history import listen
from understudy.tasks.haggle.items import KINDS, Triple
from understudy.tasks.haggle.offers import either
from understudy.tasks.haggle.population import triple
from understudy.tasks.population import Option, ReplyDistribution
from understudy.types import Message, Task

_HELLO = (
    "hello ! i am happy to talk with you .",
    "hello ! it is wonderful to meet you .",
    "hi ! thank you for taking the time .",
)
_ACCEPT = (
    "that sounds great ! i accept your offer .",
    "of course , that works for me !",
    "perfect , i am happy with that !",
    "absolutely , we have a deal !",
)
_GIVE_ALL = (
    "i understand completely . you can have everything !",
    "i really appreciate your thoughts . you get everything !",
    "of course ! please , you take everything .",
)


def prompted_reply(task: Task, messages: Sequence[Message]) -> ReplyDistribution:
    """The distribution of its next message: accepts any standing offer, else offers everything."""
    counts, values = triple(task.goal["counts"]), triple(task.goal["user_values"])
    if not messages:
        return ReplyDistribution([Option(1.0, _opening(counts, values))])
    if listen(counts, messages).agent_offer is not None:
        return ReplyDistribution([Option(1.0, either(_ACCEPT), end=True)])
    return ReplyDistribution([Option(1.0, either(_GIVE_ALL))])


@lru_cache(maxsize=1024)
def _opening(counts: Triple, values: Triple) -> Expression:
    worths = [f"{KINDS[k]}s {n * value}" for k, (n, value) in enumerate(zip(counts, values, strict=True)) if value]
    first, *others = worths
    told = " and ".join([f"the {first.split()[0]} are worth {first.split()[1]}", *(f"the {other}" for other in others)])
    asked = ("what would you like ?", "how can i make you happy ?")
    return Concat([either(_HELLO), Literal(f" {told} to me . "), either(asked)])
