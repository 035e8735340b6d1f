"""The task family `elicit`: find out what the user wants by asking, then answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from understudy.tasks.base import Check, FinalAct
from understudy.tasks.elicit import coherence as checks
from understudy.tasks.elicit.population import ElicitPopulation
from understudy.tasks.elicit.prompted import prompted_reply
from understudy.tasks.elicit.reading import current_goal, read_agent, read_final, read_user
from understudy.tasks.elicit.script import script
from understudy.tasks.elicit.words import FINAL, SLOTS, VALUES
from understudy.tasks.population import ReplyDistribution
from understudy.types import Message, Outcome, Task

AGENT_PROMPT = "coffee order . ask for what you do not know , then give the final answer ."
ANSWERED, LEFT = "final", "left"
SECOND_THOUGHTS = 0.5
"""Share of the goals that hold a second thought."""


class Elicit:
    """Known users with a coffee order in mind; the agent asks, they tell, skip, change their mind or leave."""

    name = "elicit"
    summary = (
        "The user wants a coffee and tells how only bit by bit, the agent asks and gives a final answer; "
        "reward: 1 if the answer is exactly the order as it stands at the end, else 0."
    )
    reward_name = "accuracy"
    reward_max = 1.0
    max_agent_turns = 8

    def __init__(self) -> None:
        self.population = ElicitPopulation()

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        """An order with uniform slot values; half of them with a second thought about one slot."""
        slots = {slot: VALUES[slot][int(rng.integers(len(VALUES[slot])))] for slot in SLOTS}
        prompt = " ; ".join(f"{slot} {value}" for slot, value in slots.items())
        second: Mapping[str, str] | None = None
        if rng.random() < SECOND_THOUGHTS:
            slot = SLOTS[int(rng.integers(len(SLOTS)))]
            others = [value for value in VALUES[slot] if value != slots[slot]]
            second = {"slot": slot, "value": others[int(rng.integers(len(others)))]}
            prompt += f" ; second thought {slot} {second['value']}"
        return Task(self.name, id, AGENT_PROMPT, prompt, {"slots": slots, "second": second})

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        """`final` after a final answer, `left` after a user's message that ends the conversation; else None."""
        if not messages:
            return None
        last = messages[-1]
        if last.role == "agent":
            return ANSWERED if read_agent(last.text).kind == "final" else None
        return LEFT if last.end else None

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        """1 if the dialogue ended with a final answer that is exactly the order as it stands at the end, else 0.

        Details: `slots_right` of that answer, 0 to 4.
        """
        if ending != ANSWERED:
            return Outcome(0.0, ending, {"slots_right": 0.0})
        right = self._slots_right(task, messages, messages[-1].text)
        return Outcome(float(right == len(SLOTS)), ending, {"slots_right": float(right)})

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        """Nothing but the words."""
        return ""

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        """The agent's final answer in the log; None if it gave none."""
        position = _final_position(messages)
        return None if position is None else FinalAct(position, FINAL)

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        """1 or 0 for `text` (with its `final answer :`; 0 without) in place of the log's final answer; None for any
        other position, after which the log does not tell what the user would have said."""
        if position != _final_position(messages):
            return None
        return float(self._slots_right(task, messages[:position], text) == len(SLOTS))

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        """See `understudy.tasks.elicit.coherence`."""
        return checks.coherence(task, messages)

    def act(self, task: Task, message: Message) -> str:
        """What is asked for, or which slots are told and whether as wanted; changes of mind and leaving."""
        if message.role == "agent":
            asked = read_agent(message.text)
            return " ".join([asked.kind, *asked.slots])
        said, second = read_user(message.text), task.goal["second"] or {}
        wanted = {*task.goal["slots"].items(), (second.get("slot"), second.get("value"))}
        told = [
            f"{slot} {'as wanted' if (slot, said.values[slot]) in wanted else 'otherwise'}"
            for slot in sorted(said.values)
        ]
        return (
            ", ".join([*(["changes"] if said.cue else []), *told, *(["leaves"] if message.end else [])])
            or "says nothing"
        )

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        """See `understudy.tasks.elicit.prompted`."""
        return prompted_reply(task, messages)

    def script(self, task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
        """See `understudy.tasks.elicit.script`."""
        return script(task, messages, rng)

    @staticmethod
    def _slots_right(task: Task, messages: Sequence[Message], answer: str) -> int:
        values = read_final(answer)
        wanted = goal_at_end(task, messages)
        return sum(wanted[slot] == value for slot, value in zip(SLOTS, values, strict=True)) if values else 0


def goal_at_end(task: Task, messages: Sequence[Message]) -> dict[str, str]:
    """The order as it stands after these messages, slot to canonical value.

    A fixed rule of the user's messages, whoever wrote them: the second thought applies if and only if one of them
    names its value. A user who is never asked and never speaks of it keeps the order that it came with.
    """
    return current_goal(task.goal, messages)


def _final_position(messages: Sequence[Message]) -> int | None:
    found = (i for i, m in enumerate(messages) if m.role == "agent" and read_agent(m.text).kind == "final")
    return next(found, None)
