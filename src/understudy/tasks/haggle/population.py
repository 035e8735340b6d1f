"""People at the table: what they demand, how they give way, and when they have had enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from understudy.tasks.grammar import Choice, Concat
from understudy.tasks.haggle import words
from understudy.tasks.haggle.history import History, listen
from understudy.tasks.haggle.items import TOTAL, Triple, points, shares
from understudy.tasks.haggle.offers import CAREFUL, CASUAL, Voice, offer
from understudy.tasks.population import Option, Population, ReplyDistribution
from understudy.types import Message, Task

LOWEST_RESERVATION = 2
"""Nobody accepts or proposes less than this for themselves, in points."""

_RESERVATIONS = ((LOWEST_RESERVATION, 0.3), (3, 0.3), (4, 0.25), (5, 0.15))
"""Reservation points with the share of people who have them."""

_PACE = {"slow": 1.5, "medium": 2.5, "fast": 3.5}
"""Points by which the demand falls with each of the agent's messages after the first."""

_PATIENCE = {
    ("hot", "slow"): 5,
    ("hot", "medium"): 6,
    ("hot", "fast"): 6,
    ("warm", "slow"): 6,
    ("warm", "medium"): 8,
    ("warm", "fast"): 7,
}


@dataclass(frozen=True, slots=True)
class Persona:
    """One kind of person.

    Attributes:
        reservation: points under which no deal is better, 2 to 5.
        pace: how fast the demand falls.
        temper: `warm` people return concessions, bear more, and take what is bearable at the end; `hot` ones walk out.
        style: how they write; the casual ones slip.
    """

    reservation: int
    pace: Literal["slow", "medium", "fast"]
    temper: Literal["warm", "hot"]
    style: Literal["careful", "casual"]

    @property
    def voice(self) -> Voice:
        return CAREFUL if self.style == "careful" else CASUAL

    @property
    def patience(self) -> int:
        """Agent messages borne before walking away, 5 to 8; one that cannot be understood counts twice."""
        return _PATIENCE[self.temper, self.pace]

    @property
    def tolerance(self) -> int:
        """Greedy repeats (under the reservation and no better than before) at which the person walks away."""
        return 3 if self.temper == "warm" else 2


@dataclass(frozen=True, slots=True)
class Mood:
    """A person's state, read off the history.

    Attributes:
        demand: points it wants for itself now.
        cap: points of its own lowest offer so far, 10 before the first; it never asks for more again.
        offered: points that the agent's standing offer gives it, -1 without one.
        spent: patience used.
        strikes: greedy repeats so far.
    """

    demand: int
    cap: int
    offered: int
    spent: int
    strikes: int


def mood_of(history: History, values: Triple, persona: Persona) -> Mood:
    """What the person feels after all that was heard. Its demand never rises in the course of a dialogue."""
    best, cap = -1, 10
    spent = strikes = concessions = 0
    for heard in history.heard:
        if heard.role == "user":
            if heard.act.kind == "offer" and heard.user_share is not None:
                cap = min(cap, points(heard.user_share, values))
            continue
        spent += 2 if heard.act.kind in ("unclear", "impossible") else 1
        if heard.act.kind != "offer" or heard.user_share is None:
            continue
        worth = points(heard.user_share, values)
        strikes += worth < persona.reservation and best >= 0 and worth <= best
        concessions += 0 <= best < worth
        best = max(best, worth)
    rounds = sum(heard.role == "agent" for heard in history.heard)
    fallen = math.floor(_PACE[persona.pace] * max(0, rounds - 1))
    if persona.temper == "warm":
        fallen += min(2, concessions)
    demand = max(persona.reservation, min(first_demand(values) - fallen, cap))
    offered = -1 if history.agent_offer is None else points(history.agent_offer, values)
    return Mood(demand, cap, offered, spent, strikes)


@lru_cache(maxsize=65536)
def proposals(counts: Triple, values: Triple, demand: int, cap: int) -> tuple[tuple[Triple, float], ...]:
    """The shares that a person may ask for, with weights: from the demand to the cap, lower ones likelier.

    Nobody asks for everything, so the demand is at most `first_demand(values)`.
    """
    found: list[tuple[Triple, float]] = []
    for share in shares(counts):
        worth = points(share, values)
        if share == counts or not demand <= worth <= max(cap, demand):
            continue
        found.append((share, math.exp(demand - worth)))
    if not found:
        # Somebody else wrote an earlier offer of this user's, under its reservation: back to the cheapest that will do.
        enough = [share for share in shares(counts) if share != counts and points(share, values) >= demand]
        return ((min(enough, key=lambda share: points(share, values)), 1.0),)
    top = max(weight for _, weight in found)
    return tuple((share, weight) for share, weight in found if weight >= 0.05 * top)


def first_demand(values: Triple) -> int:
    """Points that everybody demands at first, 8 or 9: all but the cheapest item, and never all."""
    return min(9, TOTAL - min(values))


def dearest(counts: Triple, values: Triple) -> int:
    """The kind that is worth most in all, the first of equals."""
    worths = [count * value for count, value in zip(counts, values, strict=True)]
    return worths.index(max(worths))


def triple(numbers: Sequence[int]) -> Triple:
    """Three numbers of a goal, which may come from JSON as a list."""
    return (int(numbers[0]), int(numbers[1]), int(numbers[2]))


class HagglePopulation(Population):
    """48 kinds of people: 4 reservations (low ones are commoner) x 3 paces x 2 tempers x 2 styles."""

    def __init__(self) -> None:
        self._personas = [
            (Persona(reservation, pace, temper, style), share / 12)
            for reservation, share in _RESERVATIONS
            for pace in ("slow", "medium", "fast")
            for temper in ("warm", "hot")
            for style in ("careful", "casual")
        ]

    def personas(self) -> Sequence[tuple[Persona, float]]:
        return self._personas

    def reply(self, task: Task, messages: Sequence[Message], persona: Persona) -> ReplyDistribution:
        counts, values = triple(task.goal["counts"]), triple(task.goal["user_values"])
        voice, kind = persona.voice, dearest(counts, values)
        if not messages:
            return _opening(counts, values, persona)
        history = listen(counts, messages)
        mood = mood_of(history, values, persona)
        last = history.heard[-1].act.kind
        if mood.offered >= mood.demand:
            return ReplyDistribution([Option(1.0, words.acceptance(voice, fresh=last == "offer"), end=True)])
        if mood.spent >= persona.patience or mood.strikes >= persona.tolerance or last == "leave":
            if persona.temper == "warm" and mood.offered >= persona.reservation and last != "leave":
                return ReplyDistribution([Option(1.0, words.acceptance(voice, fresh=last == "offer"), end=True)])
            return ReplyDistribution([Option(1.0, words.goodbye(voice), end=True)])
        if last in ("unclear", "impossible"):
            manner, counter = "puzzled", 0.75
        elif mood.strikes:
            manner, counter = "annoyed", 0.5
        elif last in ("offer", "refuse", "accept"):
            manner, counter = ("refusal" if last == "offer" else "lead"), 0.7
        else:
            manner, counter = "lead", 0.8
        saying = words.refusal(manner, kind, voice) if last == "offer" else words.wish(kind, voice)
        return ReplyDistribution(
            [
                Option(counter, _counter_offer(counts, values, mood.demand, mood.cap, manner, voice)),
                Option(1 - counter, saying),
            ]
        )


@lru_cache(maxsize=16384)
def _counter_offer(counts: Triple, values: Triple, demand: int, cap: int, manner: str, voice: Voice) -> Concat:
    options, weights = zip(*proposals(counts, values, demand, cap), strict=True)
    body = Choice([offer(share, counts, voice, words.tail(voice)) for share in options], weights)
    return Concat([words.lead(manner, voice), body])


@lru_cache(maxsize=4096)
def _opening(counts: Triple, values: Triple, persona: Persona) -> ReplyDistribution:
    voice = persona.voice
    options, weights = zip(*proposals(counts, values, first_demand(values), 10), strict=True)
    body = Choice([offer(share, counts, voice, words.tail(voice)) for share in options], weights)
    return ReplyDistribution(
        [
            Option(0.45, Concat([words.opening_lead(voice), body])),
            Option(0.3, words.opening_wish(dearest(counts, values), voice)),
            Option(0.25, words.greeting(voice)),
        ]
    )
