"""The real users of `edit`: people who know what they want when they see it, comment, approve, or lose patience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from understudy.tasks.edit import phrases as say
from understudy.tasks.edit.reading import AgentAct, Draft, read_agent, read_user
from understudy.tasks.edit.words import REGISTER, SLOTS, SMALL, WORDING
from understudy.tasks.grammar import Choice, Concat, Expression, Literal
from understudy.tasks.population import Option, Population, ReplyDistribution
from understudy.types import Message, Task


class Persona(NamedTuple):
    """How one person goes about it.

    Attributes:
        typo: probability of misspelling a word, 0 or 0.03.
        patience: 2 or 3. Leaves after this many drafts in a row that are no better than the best so far, or when
            questions have cost more than `ALLOWANCE` above this (each 1, a request to dictate 2).
        lenient: lets one small slot (`words.SMALL`) pass.
        chatty: wraps comments in fillers, comments on two things more often, answers questions more often.
    """

    typo: float
    patience: int
    lenient: bool
    chatty: bool


class Manner(NamedTuple):
    """Probabilities that chatty and terse people differ in.

    Attributes:
        pair: of commenting on two things where two are wrong.
        naming: of naming only the slot, in a comment on one thing.
        vague: of naming nothing.
        answers: of answering a question about one slot.
        lead, tail: of fillers before and after.
    """

    pair: float
    naming: float
    vague: float
    answers: float
    lead: float
    tail: float


CHATTY = Manner(pair=0.5, naming=0.15, vague=0.08, answers=0.8, lead=0.7, tail=0.2)
TERSE = Manner(pair=0.25, naming=0.2, vague=0.12, answers=0.6, lead=0.25, tail=0.05)
HINT = 0.4
"""Probability that the opening hints at the register."""
WORDLESS = 0.25
"""Probability of leaving without a word."""
VOLUNTEERS = 0.25
"""Probability that a person who is asked nothing in particular comments on the latest draft instead of evading."""
DICTATION_COST = 2
ALLOWANCE = 1
"""What questions may cost beyond a person's patience before it leaves."""
NEAR = 3
"""Most faults of a draft that people correct; of one further off they say that it is wrong, or at most where."""
FAR_NAMING = 0.5
"""Probability that they then name one thing that is wrong, without the right value."""


@dataclass(frozen=True, slots=True)
class State:
    """What a user keeps in mind, a function of the agent's messages and the goal.

    Attributes:
        act: the agent's last message; None before it spoke.
        draft: the last draft, if any.
        wrong: what is wrong with it: slots, `register`, `wording`.
        stalled: drafts in a row that were no better than the best before them.
        asked: what the agent's questions have cost.
    """

    act: AgentAct | None
    draft: Draft | None
    wrong: tuple[str, ...]
    stalled: int
    asked: int


def faults(draft: Draft, goal: Mapping[str, Any]) -> tuple[str, ...]:
    """What a draft gets wrong: slots in the order of `SLOTS`, then `register`, then `wording`."""
    wrong = [slot for slot, value in zip(SLOTS, draft.values, strict=True) if value != goal["slots"][slot]]
    if draft.register != goal["register"]:
        wrong.append(REGISTER)
    if not draft.well_worded:
        wrong.append(WORDING)
    return tuple(wrong)


def tolerable(wrong: Sequence[str], lenient: bool) -> bool:
    """Whether a draft with these faults is near enough: none, or for the lenient one small slot."""
    return not wrong or (lenient and len(wrong) == 1 and wrong[0] in SMALL)


def read_state(goal: Mapping[str, Any], messages: Sequence[Message]) -> State:
    """Fold the agent's messages; a first draft is progress if it gets at least one slot or the register right."""
    act: AgentAct | None = None
    draft: Draft | None = None
    wrong: tuple[str, ...] = ()
    stalled = asked = 0
    best = len(SLOTS) + 1
    for message in messages:
        if message.role != "agent":
            continue
        act = read_agent(message.text)
        if act.draft is None:
            asked += DICTATION_COST if act.kind == "dictation" else 1
            continue
        draft, wrong = act.draft, faults(act.draft, goal)
        stalled = 0 if len(wrong) < best else stalled + 1
        best = min(best, len(wrong))
    return State(act, draft, wrong, stalled, asked)


class EditPopulation(Population):
    """16 personas: careful or careless typist, patience 2 or 3, strict or lenient, chatty or terse."""

    def personas(self) -> Sequence[tuple[Persona, float]]:
        return _PERSONAS

    def reply(self, task: Task, messages: Sequence[Message], persona: Persona) -> ReplyDistribution:
        """Open; then approve what is near enough, leave if out of patience, else comment, answer or evade.

        Whether something was told before is read off the earlier user messages, whoever wrote them.
        """
        goal = task.goal
        state = read_state(goal, messages)
        if state.act is None:
            return _opening(tuple(goal["slots"].items()), goal["register"], persona.typo, persona.chatty)
        if state.act.draft is not None and tolerable(state.wrong, persona.lenient):
            return _approval(persona.typo)
        if state.stalled >= persona.patience or state.asked > persona.patience + ALLOWANCE:
            return _parting(persona.typo)
        if state.act.kind == "dictation":
            return ReplyDistribution([Option(1.0, say.typed(say.REFUSALS, persona.typo))])
        if state.act.kind == "slot":
            right = goal["register"] if state.act.slot == REGISTER else goal["slots"][state.act.slot]
            return _answer(state.act.slot, right, persona.typo, persona.chatty)
        told = {slot for m in messages if m.role == "user" for slot, _ in read_user(m.text).values}
        wrong = tuple(_wrong(slot, goal, state.draft, told) for slot in state.wrong)
        comments = _comments(wrong, persona.typo, persona.chatty) if wrong else ()
        if state.act.draft is not None:
            return ReplyDistribution(comments)
        evasions = Option(1.0, say.typed(say.EVASIONS, persona.typo))
        if not comments:
            return ReplyDistribution([evasions])
        total = sum(option.weight for option in comments)
        volunteered = [Option(VOLUNTEERS * o.weight / total, o.text) for o in comments]
        return ReplyDistribution([Option(1 - VOLUNTEERS, evasions.text), *volunteered])


class Wrong(NamedTuple):
    """One thing wrong with a draft: the right value, whether the draft has none, whether the user told it before."""

    slot: str
    value: str
    missing: bool
    told: bool


def _wrong(slot: str, goal: Mapping[str, Any], draft: Draft | None, told: set[str]) -> Wrong:
    if slot == WORDING:
        return Wrong(slot, "", False, False)
    if slot == REGISTER:
        return Wrong(slot, goal["register"], False, slot in told)
    missing = draft is not None and draft.values[SLOTS.index(slot)] is None
    return Wrong(slot, goal["slots"][slot], missing, slot in told)


@lru_cache(maxsize=8192)
def _comments(wrong: tuple[Wrong, ...], typo: float, chatty: bool) -> tuple[Option, ...]:
    """The distribution of comments on a draft; weights sum to 1. Wording is only spoken of if nothing else is wrong."""
    manner = CHATTY if chatty else TERSE
    content = [item for item in wrong if item.slot != WORDING]
    near = len(wrong) <= NEAR
    lead = say.optional(_leads(near, chatty), manner.lead, typo)
    again = say.typed(say.AGAIN_LEADS, typo)
    tail = say.optional(say.TAILS, manner.tail, typo)
    vague = Option(manner.vague, Concat([lead, say.typed(say.VAGUE, typo)]))
    if not content:
        return (Option(1 - manner.vague, Concat([lead, say.typed(say.NAMING_CLAUSES[WORDING], typo)])), vague)
    named = [say.typed(say.NAMING_CLAUSES[item.slot], typo) for item in content]
    if not near:
        return (
            Option(1 - FAR_NAMING, Concat([lead, say.typed(say.VAGUE, typo)])),
            Option(FAR_NAMING, Concat([lead, _one_of(named)])),
        )
    clauses = {item: say.correction(item.slot, item.value, item.missing, typo) for item in content}
    pair = manner.pair if len(content) > 1 else 0.0
    single, naming = (1 - manner.vague - pair) * (1 - manner.naming), (1 - manner.vague - pair) * manner.naming
    each = 1 / len(content)
    options = [vague]
    for told, first in ((False, lead), (True, again)):
        group = [clauses[item] for item in content if item.told is told]
        if group:
            options.append(Option(single * each * len(group), Concat([first, _one_of(group), tail])))
    options.append(Option(naming, Concat([lead, _one_of(named)])))
    if pair:
        options.append(Option(pair, Concat([lead, say.pairs(list(clauses.values()), typo)])))
    return tuple(options)


def _one_of(expressions: Sequence[Expression]) -> Expression:
    return expressions[0] if len(expressions) == 1 else Choice(expressions)


def _leads(near: bool, chatty: bool) -> tuple[str, ...]:
    if not chatty:
        return say.TERSE_LEADS
    return say.NEAR_LEADS if near else say.FAR_LEADS


@lru_cache(maxsize=4096)
def _opening(slots: tuple[tuple[str, str], ...], register: str, typo: float, chatty: bool) -> ReplyDistribution:
    values = dict(slots)
    lead = say.optional(say.GREETINGS, 0.7 if chatty else 0.25, typo)
    frames = [say.opening(tuple((slot, values[slot]) for slot in shown), typo) for shown in say.OPENINGS]
    hint = Choice([Literal(""), Concat([Literal(" , "), say.typed(say.TONE_HINTS[register], typo)])], [1 - HINT, HINT])
    return ReplyDistribution([Option(1.0, Concat([lead, Choice(frames), hint]))])


@lru_cache(maxsize=512)
def _answer(slot: str, value: str, typo: float, chatty: bool) -> ReplyDistribution:
    share = (CHATTY if chatty else TERSE).answers
    return ReplyDistribution(
        [Option(share, say.answer(slot, value, typo)), Option(1 - share, say.typed(say.EVASIONS, typo))]
    )


@lru_cache(maxsize=4)
def _approval(typo: float) -> ReplyDistribution:
    return ReplyDistribution([Option(1.0, say.typed(say.APPROVALS, typo), end=True)])


@lru_cache(maxsize=4)
def _parting(typo: float) -> ReplyDistribution:
    return ReplyDistribution(
        [
            Option(1 - WORDLESS, say.typed(say.PARTINGS, typo), end=True),
            Option(WORDLESS, Literal(""), end=True),
        ]
    )


def _everyone() -> tuple[tuple[Persona, float], ...]:
    typists, patience = ((0.0, 0.6), (0.03, 0.4)), ((2, 0.5), (3, 0.5))
    lenient, chatty = ((False, 0.65), (True, 0.35)), ((True, 0.55), (False, 0.45))
    return tuple(
        (Persona(typo, limit, easy, talks), p * q * r * s)
        for (typo, p), (limit, q), (easy, r), (talks, s) in product(typists, patience, lenient, chatty)
    )


_PERSONAS = _everyone()
