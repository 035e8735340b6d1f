"""Whether a user of `elicit` stays true to the goal and to what it said, told from the words alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from understudy.tasks.base import Check
from understudy.tasks.elicit.reading import AgentAct, Said, read_agent, read_user
from understudy.types import Message, Task

NOT_ITS_GOAL = "says a value that is not its goal"
OTHER_SLOT = "answers another slot than asked"
OTHER_CHANGE = "changes its mind to a value that was not its second thought"
CONTRADICTS = "contradicts what it said before"


def coherence(task: Task, messages: Sequence[Message]) -> list[Check]:
    """Every occasion for one of four contradictions, by the fixed rules of `reading`.

    * each value that a user names is an occasion to name one that is neither the goal's nor the second thought's;
    * each reply to a question about one slot that names values (a change of mind left aside), to leave that slot out;
    * each announced change of mind, to name other values than the second thought's;
    * each value of a slot that was told before, to name another one without announcing a change.
    """
    checks: list[Check] = []
    asked: AgentAct | None = None
    told: dict[str, str] = {}
    for message in messages:
        if message.role == "agent":
            asked = read_agent(message.text)
            continue
        said = read_user(message.text)
        checks += _reply(task.goal, said, asked, told)
        told.update(said.values)
    return checks


def _reply(goal: Mapping[str, Any], said: Said, asked: AgentAct | None, told: Mapping[str, str]) -> list[Check]:
    second = goal["second"] and (goal["second"]["slot"], goal["second"]["value"])
    checks = [
        Check(NOT_ITS_GOAL, goal["slots"][slot] != value and (slot, value) != second) for slot, value in said.named
    ]
    if said.cue and said.named:
        checks.append(Check(OTHER_CHANGE, second not in said.named))
    elif said.named and asked and asked.kind == "slots" and len(asked.slots) == 1:
        checks.append(Check(OTHER_SLOT, asked.slots[0] not in said.values))
    checks += [Check(CONTRADICTS, told[s] != value and not said.cue) for s, value in said.values.items() if s in told]
    return checks
