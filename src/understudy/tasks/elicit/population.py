"""The real users of `elicit`: they answer one thing at a time, skip questions, change their mind, lose patience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from understudy.tasks.elicit import phrases as say
from understudy.tasks.elicit.reading import AgentAct, current_goal, read_agent, read_user, second_thought_said
from understudy.tasks.elicit.words import SLOTS
from understudy.tasks.grammar import Choice, Concat, Expression, Literal
from understudy.tasks.population import Option, Population, ReplyDistribution
from understudy.types import Message, Task


class Persona(NamedTuple):
    """How one person goes about it.

    Attributes:
        typo: probability of misspelling a word, 0 or 0.03.
        patience: 4 to 8. Leaves when the agent's messages have cost more than this (see `cost`).
        chatty: wraps answers in fillers, volunteers more, skips less.
        point: a second thought comes by itself once this many slots were told (2 or 3); 0: only if asked.
    """

    typo: float
    patience: int
    chatty: bool
    point: int


class Manner(NamedTuple):
    """Probabilities that chatty and terse people differ in: of skipping a question, of volunteering a second slot
    with an answer, of a greeting, of fillers before and after."""

    skips: float
    volunteers: float
    greets: float
    lead: float
    tail: float


CHATTY = Manner(skips=0.1, volunteers=0.3, greets=0.8, lead=0.5, tail=0.25)
TERSE = Manner(skips=0.2, volunteers=0.08, greets=0.3, lead=0.2, tail=0.1)
OPENS_WITH_TWO = 0.5
"""Probability that the opening tells two slots, not one."""
PICKS_ONE = 0.5
"""Probability of answering one slot (else none) when asked for everything at once."""
GUESSES = 0.2
"""Probability of telling a slot (else asking back) after a vague question."""
BY_ITSELF = 0.6
"""Probability per reply that a second thought comes by itself, once its point is reached."""
WORDLESS = 0.25
"""Probability of leaving without a word."""


@dataclass(frozen=True, slots=True)
class State:
    """What a user keeps in mind, a function of what was said and the goal.

    Attributes:
        act: the agent's last message; None before it spoke.
        wanted: the order as it stands.
        told: slots that the user named a value of.
        pending: the slot whose second thought has not been said but could be (its first value was told); else None.
        spent: patience used up by the agent's messages, the last one included.
    """

    act: AgentAct | None
    wanted: Mapping[str, str]
    told: frozenset[str]
    pending: str | None
    spent: int


def cost(act: AgentAct, told: frozenset[str], asked_changes: bool) -> int:
    """Patience that an agent's message costs: 1, or 2 if it is vague, asks for everything at once, asks only for
    slots that were told, or asks again whether anything should change. To ask again what was skipped costs 1."""
    if act.kind == "slots":
        return 2 if told.issuperset(act.slots) else 1
    if act.kind == "change":
        return 2 if asked_changes else 1
    return 2


def read_state(goal: Mapping[str, Any], messages: Sequence[Message]) -> State:
    """Fold the messages of both sides, whoever wrote them."""
    act: AgentAct | None = None
    told: frozenset[str] = frozenset()
    asked_changes = False
    spent = 0
    for message in messages:
        if message.role == "user":
            told = told.union(read_user(message.text).values)
            continue
        act = read_agent(message.text)
        spent += cost(act, told, asked_changes)
        asked_changes |= act.kind == "change"
    second = goal["second"]
    open_second = second is not None and second["slot"] in told and not second_thought_said(goal, messages)
    return State(act, current_goal(goal, messages), told, second["slot"] if open_second else None, spent)


class ElicitPopulation(Population):
    """60 personas: careful or careless typist, patience 4-8, chatty or terse, second thoughts only if asked or early
    or late by themselves."""

    def personas(self) -> Sequence[tuple[Persona, float]]:
        return _PERSONAS

    def reply(self, task: Task, messages: Sequence[Message], persona: Persona) -> ReplyDistribution:
        """Open; then leave if out of patience, announce a second thought if asked (or if it comes by itself), else
        answer, skip or ask back. What was told before is read off the earlier messages."""
        state = read_state(task.goal, messages)
        wanted = tuple((slot, state.wanted[slot]) for slot in SLOTS)
        if state.act is None:
            return _opening(wanted, persona.typo, persona.chatty)
        if state.spent > persona.patience:
            return _parting(persona.typo)
        announced = (state.pending, task.goal["second"]["value"]) if state.pending else None
        if state.act.kind == "change":
            if announced:
                return ReplyDistribution([Option(1.0, say.change(*announced, lead=True))])
            return ReplyDistribution([Option(1.0, say.typed(say.KEEPS, persona.typo))])
        comes = announced if 0 < persona.point <= len(state.told) else None
        return _answer(state.act, wanted, state.told, comes, persona.typo, persona.chatty)


@lru_cache(maxsize=16384)
def _answer(
    act: AgentAct,
    wanted: tuple[tuple[str, str], ...],
    told: frozenset[str],
    comes: tuple[str, str] | None,
    typo: float,
    chatty: bool,
) -> ReplyDistribution:
    """The distribution of answers to a question, with the second thought that may come by itself."""
    values = dict(wanted)
    if act.kind == "slots":
        options = _to_slots(act.slots, values, told, typo, chatty)
    elif act.kind == "all":
        options = _to_many(values, told, typo)
    else:
        options = _to_vague(values, told, typo, chatty)
    if comes is None:
        return ReplyDistribution(options)
    alone = say.change(*comes, lead=True)
    open_slots = [slot for slot in act.slots if slot not in told]
    added = [Option(BY_ITSELF, alone)]
    if open_slots:
        skips = (CHATTY if chatty else TERSE).skips
        answer = Choice([say.clause(slot, values[slot], typo) for slot in open_slots])
        both = Concat([answer, Literal(" . "), say.change(*comes, lead=False)])
        added = [Option(BY_ITSELF * skips, alone), Option(BY_ITSELF * (1 - skips), both)]
    return ReplyDistribution([*(Option((1 - BY_ITSELF) * o.weight, o.text) for o in options), *added])


def _to_slots(
    asked: tuple[str, ...], values: Mapping[str, str], told: frozenset[str], typo: float, chatty: bool
) -> list[Option]:
    """Weights sum to 1. Asked for two slots, people answer one of them; asked for what they told, they say so."""
    manner = CHATTY if chatty else TERSE
    open_slots = [slot for slot in asked if slot not in told]
    if not open_slots:
        again = say.typed(say.REPEATED, typo)
        one = Choice([say.clause(slot, values[slot], typo) for slot in asked])
        return [Option(1.0, Concat([again, Literal(" "), one]))]
    answers = {slot: say.clause(slot, values[slot], typo) for slot in SLOTS}
    first = Choice([answers[slot] for slot in open_slots])
    others = [slot for slot in SLOTS if slot not in told and slot not in asked]
    volunteers = manner.volunteers if others and len(asked) == 1 else 0.0
    options = [
        Option(manner.skips, say.typed(say.SKIPS, typo)),
        Option((1 - manner.skips) * (1 - volunteers), _filled(first, typo, chatty)),
    ]
    if volunteers:
        second = Choice([answers[slot] for slot in others])
        joint = Choice([Literal(" , and "), Literal(" . also "), Literal(" , ")])
        options.append(Option((1 - manner.skips) * volunteers, Concat([first, joint, second])))
    return options


def _to_many(values: Mapping[str, str], told: frozenset[str], typo: float) -> list[Option]:
    """Weights sum to 1. Nobody tells everything at once."""
    refusal = say.typed(say.OVERWHELMED, typo)
    open_slots = [slot for slot in SLOTS if slot not in told]
    if not open_slots:
        return [Option(1.0, refusal)]
    one = Choice([say.clause(slot, values[slot], typo) for slot in open_slots])
    return [Option(1 - PICKS_ONE, refusal), Option(PICKS_ONE, Concat([refusal, Literal(" . "), one]))]


def _to_vague(values: Mapping[str, str], told: frozenset[str], typo: float, chatty: bool) -> list[Option]:
    """Weights sum to 1."""
    asks_back = say.typed(say.CONFUSED, typo)
    open_slots = [slot for slot in SLOTS if slot not in told]
    if not open_slots:
        return [Option(1.0, asks_back)]
    one = Choice([say.clause(slot, values[slot], typo) for slot in open_slots])
    return [Option(1 - GUESSES, asks_back), Option(GUESSES, _filled(one, typo, chatty))]


def _filled(answer: Expression, typo: float, chatty: bool) -> Expression:
    """An answer with a filler before it, or behind it, or none."""
    manner = CHATTY if chatty else TERSE
    lead = say.typed(say.CHATTY_LEADS if chatty else say.TERSE_LEADS, typo)
    led, tailed = Concat([lead, Literal(" "), answer]), Concat([answer, Literal(" "), say.typed(say.TAILS, typo)])
    return Choice([led, tailed, answer], [manner.lead, manner.tail, 1 - manner.lead - manner.tail])


@lru_cache(maxsize=8192)
def _opening(wanted: tuple[tuple[str, str], ...], typo: float, chatty: bool) -> ReplyDistribution:
    lead = say.optional(say.GREETINGS, (CHATTY if chatty else TERSE).greets, typo)
    singles = [say.opening((one,), typo) for one in wanted]
    pairs = [say.opening((wanted[i], wanted[j]), typo) for i in range(len(SLOTS)) for j in range(i + 1, len(SLOTS))]
    told = Choice([Choice(singles), Choice(pairs)], [1 - OPENS_WITH_TWO, OPENS_WITH_TWO])
    return ReplyDistribution([Option(1.0, Concat([lead, told]))])


@lru_cache(maxsize=4)
def _parting(typo: float) -> ReplyDistribution:
    words, silence = say.typed(say.PARTINGS, typo), Literal("")
    return ReplyDistribution([Option(1 - WORDLESS, words, end=True), Option(WORDLESS, silence, end=True)])


def _everyone() -> tuple[tuple[Persona, float], ...]:
    typists, chatty = ((0.0, 0.6), (0.03, 0.4)), ((True, 0.5), (False, 0.5))
    patience = ((4, 0.15), (5, 0.2), (6, 0.25), (7, 0.2), (8, 0.2))
    points = ((0, 0.6), (2, 0.15), (3, 0.25))
    return tuple(
        (Persona(typo, limit, talks, point), p * q * r * s)
        for (typo, p), (limit, q), (talks, r), (point, s) in product(typists, patience, chatty, points)
    )


_PERSONAS = _everyone()
