"""The people of `document`: they comment on what a draft lacks, approve what is near enough, or lose patience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from understudy.tasks.bleu import bleu
from understudy.tasks.document import phrases as say
from understudy.tasks.document.coverage import foreign, lacking, least_covered
from understudy.tasks.document.quoting import RUN, quotes
from understudy.tasks.document.reading import AgentAct, read_agent, read_user
from understudy.tasks.grammar import Choice, Literal
from understudy.tasks.population import Option, Population, ReplyDistribution
from understudy.types import Message, Task

VAGUE = 0.1
"""Probability that a comment names nothing."""
REJECTS = 0.25
"""Probability that a comment, where it names something, names what the text has not rather than what the draft lacks."""
COST = {"question": 1, "dictation": 2, "talk": 2}
"""What a message that is no draft costs of somebody's patience."""


class Persona(NamedTuple):
    """How one person goes about it.

    Attributes:
        patience: 3 or 5. Leaves after this many drafts in a row that are no better than the best so far, or when messages
            without a draft have cost more than this (`COST`).
        near: BLEU from which on a draft is near enough.
        words: names at most this many at once, 3 or 5.
    """

    patience: int
    near: float
    words: int


PATIENCE = ((3, 0.5), (5, 0.5))
NEAR = ((10.0, 0.3), (20.0, 0.4), (35.0, 0.3))
NAMED = ((3, 0.5), (5, 0.5))
_PERSONAS = tuple(
    (Persona(patience, near, words), p * q * r)
    for (patience, p), (near, q), (words, r) in product(PATIENCE, NEAR, NAMED)
)


@dataclass(frozen=True, slots=True)
class State:
    """What a user keeps in mind, a function of the messages and the goal.

    Attributes:
        act: the agent's last message; None before it spoke.
        draft: the last draft; empty if there is none.
        bleu: of that draft, in [0, 100].
        stalled: drafts in a row that were no better than the best before them.
        cost: of the messages that were no draft.
        told: content words that the user has said its text has.
    """

    act: AgentAct | None
    draft: str
    bleu: float
    stalled: int
    cost: int
    told: frozenset[str]


def read_state(text: str, messages: Sequence[Message]) -> State:
    """Fold the messages; a first draft is progress if it shares anything with the text."""
    act: AgentAct | None = None
    draft, score, best = "", 0.0, 0.0
    stalled = cost = 0
    told: set[str] = set()
    for message in messages:
        if message.role == "user":
            told |= read_user(message.text).wants.keys()
            continue
        act = read_agent(message.text)
        if act.kind != "draft":
            cost += COST[act.kind]
            continue
        draft, score = act.draft, bleu(act.draft, text)
        stalled = 0 if score > best else stalled + 1
        best = max(best, score)
    return State(act, draft, score, stalled, cost, frozenset(told))


class People(Population):
    """12 personas: patience 3 or 5, three ideas of near enough, 3 or 5 words named at once. None ever quotes the text."""

    def personas(self) -> Sequence[tuple[Persona, float]]:
        return _PERSONAS

    def reply(self, task: Task, messages: Sequence[Message], persona: Persona) -> ReplyDistribution:
        """Open; then approve what is near enough, leave if out of patience, else comment, answer, refuse or urge."""
        goal = task.goal
        state = read_state(goal["text"], messages)
        if state.act is None:
            return _reply(goal, [(1.0, [frame.format(words=goal["topic"]) for frame in say.OPENINGS])])
        kind = state.act.kind
        if kind == "draft" and state.bleu >= persona.near:
            return _reply(goal, [(1.0, say.APPROVALS)], end=True)
        if state.stalled >= persona.patience or state.cost > persona.patience:
            return _reply(goal, [(1.0, say.PARTINGS)], end=True)
        if kind == "draft":
            return _reply(goal, _comments(goal, state, persona.words))
        if kind == "question":
            return _reply(goal, [(1.0, _answers(goal, state, persona.words))])
        return _reply(goal, [(1.0, say.REFUSALS if kind == "dictation" else say.NUDGES)])


def _comments(goal: Mapping[str, Any], state: State, words: int) -> list[tuple[float, Sequence[str]]]:
    """Weighted groups of comments on the last draft, equally likely within a group; weights sum to 1."""
    place = least_covered(goal["sentences"], state.draft)
    missed = lacking(goal["sentences"][place], state.draft)
    untold = {key: word for key, word in missed.items() if key not in state.told}
    frames, named = (say.COMMENTS, untold) if untold else (say.AGAIN, missed)
    wants = _filled(frames, goal, place, list(named.values()), words)
    rejects = _filled(say.REJECTIONS, goal, place, foreign(state.draft, f"{goal['topic']} {goal['text']}"), words)
    if not wants and not rejects:
        return [(1 - VAGUE, say.REWORDING), (VAGUE, say.VAGUE)]
    share = REJECTS if wants and rejects else float(not wants)
    return [((1 - VAGUE) * (1 - share), wants), ((1 - VAGUE) * share, rejects), (VAGUE, say.VAGUE)]


def _answers(goal: Mapping[str, Any], state: State, words: int) -> Sequence[str]:
    """What the first sentence with anything that is neither drafted nor told is about."""
    for place, sentence in enumerate(goal["sentences"]):
        untold = [word for key, word in lacking(sentence, state.draft).items() if key not in state.told]
        if untold:
            return _filled(say.ANSWERS, goal, place, untold, words)
    return say.NOTHING_MORE


def _filled(frames: Sequence[str], goal: Mapping[str, Any], place: int, words: Sequence[str], most: int) -> list[str]:
    """Every frame with every few words that follow each other; those that stand so in the text are cut short."""
    last = len(goal["sentences"]) - 1
    where = say.PLACES[0 if place == 0 else 2 if place == last else 1]
    starts = range(max(1, len(words) - most + 1)) if words else ()
    named = [words[start : start + most] for start in starts]
    named = [few[: RUN - 1] if quotes(" ".join(few), goal["text"]) else few for few in named]
    return [frame.format(place=where, words=" , ".join(few)) for frame in frames for few in named]


def _reply(
    goal: Mapping[str, Any], groups: Sequence[tuple[float, Sequence[str]]], *, end: bool = False
) -> ReplyDistribution:
    """Weighted groups of texts, without those that happen to quote the text in mind."""
    allowed = [(weight, [text for text in texts if not quotes(text, goal["text"])]) for weight, texts in groups]
    options = [Option(weight, Choice([Literal(t) for t in texts]), end) for weight, texts in allowed if texts]
    return ReplyDistribution(options or [Option(1.0, Literal(say.WORDLESS), end)])
