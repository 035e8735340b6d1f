"""The people of `maths`: a programme that tells a problem's sentences as it is asked for them, and loses patience."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from understudy.tasks.grammar import Choice, Concat, Expression, Literal
from understudy.tasks.population import Option, Population, ReplyDistribution
from understudy.tasks.prose import content_words
from understudy.types import Message, Task

LEAVING = ("never mind , i will ask somebody else", "forget it , thanks anyway", "i have to go")
NOTHING_MORE = ("that is all i know .", "there is nothing more .")
_BEFORE = ("", "oh , ", "yes : ")


@dataclass(frozen=True, slots=True)
class Patience:
    """How many messages of the agent somebody bears; one that asks nothing counts twice."""

    messages: int


class People(Population):
    """They open with what is asked alone, and tell one more sentence at each message of the agent."""

    def personas(self) -> Sequence[tuple[Patience, float]]:
        return ((Patience(4), 0.3), (Patience(6), 0.4), (Patience(8), 0.3))

    def reply(self, task: Task, messages: Sequence[Message], persona: Patience) -> ReplyDistribution:
        given: Sequence[str] = task.goal["given"]
        heard = [m.text for m in messages if m.role == "agent"]
        if not heard:
            return ReplyDistribution([Option(1.0, _opening(task.goal["asked"]))])
        if sum(1 if "?" in text else 2 for text in heard) > persona.messages:
            return ReplyDistribution([Option(1.0, Choice([Literal(text) for text in LEAVING]), end=True)])
        untold = [sentence for sentence in given if not told(sentence, messages)]
        if not untold:
            return ReplyDistribution([Option(1.0, Choice([Literal(text) for text in NOTHING_MORE]))])
        asked = content_words(heard[-1]).keys()
        wanted = max(untold, key=lambda sentence: len(content_words(sentence).keys() & asked))
        return ReplyDistribution([Option(1.0, Concat([Choice([Literal(b) for b in _BEFORE]), Literal(wanted)]))])


def told(sentence: str, messages: Sequence[Message]) -> bool:
    """Whether the user has said this sentence."""
    return any(message.role == "user" and sentence in message.text for message in messages)


def _opening(asked: str) -> Expression:
    return Concat([Choice([Literal(""), Literal("hi , can you help me ? ")]), Literal(asked)])
