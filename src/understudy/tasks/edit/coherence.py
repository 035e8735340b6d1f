"""Whether a user of `edit` stays true to the goal and to the latest draft, told from the words alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from understudy.tasks.base import Check
from understudy.tasks.edit.population import faults, tolerable
from understudy.tasks.edit.reading import Draft, approves, read_agent, read_user
from understudy.tasks.edit.words import REGISTER
from understudy.types import Message, Task

ALREADY_RIGHT = "comments on what is already right"
WRONG_VALUE = "asks for a wrong value"
FALSE_APPROVAL = "approves a wrong draft"
MISSED = "misses a perfect draft"


def coherence(task: Task, messages: Sequence[Message]) -> list[Check]:
    """Every occasion for one of four contradictions, by the fixed rules of `reading`.

    * each value or register that a user names, anywhere, is an occasion to ask for a wrong one;
    * each slot (or register, or wording) spoken of in a reply to a draft, to comment on what is already right;
    * each approval that ends the dialogue, to approve a draft that the most lenient person would not (or none at all);
    * each reply to a draft without a fault, to miss it.
    """
    checks: list[Check] = []
    draft: Draft | None = None
    answering = False
    for message in messages:
        if message.role == "agent":
            act = read_agent(message.text)
            answering = act.draft is not None
            draft = act.draft or draft
        else:
            checks += _reply(task.goal, message, draft, answering)
    return checks


def _reply(goal: Mapping[str, Any], message: Message, draft: Draft | None, answering: bool) -> list[Check]:
    wrong = faults(draft, goal) if draft else ()
    approved = message.end and approves(message.text)
    checks: list[Check] = []
    if answering and draft and not wrong:
        checks.append(Check(MISSED, not approved))
    if approved:
        checks.append(Check(FALSE_APPROVAL, draft is None or not tolerable(wrong, lenient=True)))
    if message.end:
        return checks
    said = read_user(message.text)
    right: dict[str, str] = {**goal["slots"], REGISTER: goal["register"]}
    checks += [Check(WRONG_VALUE, right[slot] != value) for slot, value in said.values]
    if answering:
        checks += [Check(ALREADY_RIGHT, slot not in wrong) for slot in sorted(said.named)]
    return checks
