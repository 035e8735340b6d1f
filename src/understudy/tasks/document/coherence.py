"""Whether a user of `document` stays true to the text in mind and to the last draft, told from the words alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from understudy.tasks.base import Check
from understudy.tasks.bleu import bleu
from understudy.tasks.document.population import NEAR
from understudy.tasks.document.reading import approves, read_agent, read_user
from understudy.tasks.prose import content_words
from understudy.types import Message, Task

FALSE_APPROVAL = "approves a far draft"
MISSED = "misses a draft that is near enough"
ALREADY_THERE = "asks for words that the draft has"
NOT_ITS_OWN = "names words that its text has not"
DISOWNS = "rejects words that its text has"
_LENIENT, _STRICT = min(near for near, _ in NEAR), max(near for near, _ in NEAR)


def coherence(task: Task, messages: Sequence[Message]) -> list[Check]:
    """Every occasion for one of five contradictions, by the fixed rules of `reading`.

    * each approval that ends the dialogue, to approve a draft that the most lenient person would not (or none at all);
    * each reply to a draft that the strictest person would approve, to miss it;
    * each reply to a draft that says what the text has, to name a word that stands in the draft;
    * each message that says what the text has, to name a word of neither text nor topic;
    * each message that says what the text has not, to name a word of the text.
    """
    checks: list[Check] = []
    draft, answering = "", False
    for message in messages:
        if message.role == "agent":
            act = read_agent(message.text)
            answering = act.kind == "draft"
            draft = act.draft if answering else draft
        else:
            checks += _reply(task.goal, message, draft, answering)
    return checks


def _reply(goal: Mapping[str, Any], message: Message, draft: str, answering: bool) -> list[Check]:
    score = bleu(draft, goal["text"])
    approved = message.end and approves(message.text)
    checks: list[Check] = []
    if approved:
        checks.append(Check(FALSE_APPROVAL, score < _LENIENT))
    if answering and score >= _STRICT:
        checks.append(Check(MISSED, not approved))
    if message.end:
        return checks
    said, own = read_user(message.text), content_words(goal["text"]).keys()
    if said.wants:
        if answering:
            checks.append(Check(ALREADY_THERE, bool(said.wants.keys() & content_words(draft).keys())))
        checks.append(Check(NOT_ITS_OWN, not said.wants.keys() <= own | content_words(goal["topic"]).keys()))
    if said.rejects:
        checks.append(Check(DISOWNS, bool(said.rejects.keys() & own)))
    return checks
