"""The task family `edit`: write the text that the user has in mind but will not dictate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from understudy.tasks.base import Check, FinalAct
from understudy.tasks.bleu import bleu
from understudy.tasks.edit import coherence as checks
from understudy.tasks.edit.population import EditPopulation
from understudy.tasks.edit.prompted import prompted_reply
from understudy.tasks.edit.reading import DRAFT, approves, read_agent, read_user
from understudy.tasks.edit.script import script
from understudy.tasks.edit.words import REGISTERS, SLOTS, VALUES, render
from understudy.tasks.population import ReplyDistribution
from understudy.types import Message, Outcome, Task

AGENT_PROMPT = "write the text that the user has in mind . answer with a draft ( draft : ... ) or a question ."
APPROVED, LEFT = "approved", "left"


class Edit:
    """Known users with a text of 6-12 words in mind; the agent drafts, they comment, approve or leave."""

    name = "edit"
    summary = (
        "The user has a short text in mind, the agent drafts it and hears comments; "
        "reward: sentence BLEU of the last draft, 0 if the user left."
    )
    reward_name = "BLEU"
    reward_max = 100.0
    max_agent_turns = 7

    def __init__(self) -> None:
        self.population = EditPopulation()

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        """A text with uniform slot values and register."""
        slots = {slot: VALUES[slot][int(rng.integers(len(VALUES[slot])))] for slot in SLOTS}
        register = REGISTERS[int(rng.integers(len(REGISTERS)))]
        text = render([slots[slot] for slot in SLOTS], register)
        goal = {"slots": slots, "register": register, "text": text}
        return Task(self.name, id, AGENT_PROMPT, f"text : {text}", goal)

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        """`approved` or `left`, by the words of a user's message that ends the conversation; else None."""
        if not messages or messages[-1].role != "user" or not messages[-1].end:
            return None
        return APPROVED if approves(messages[-1].text) else LEFT

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        """BLEU of the last draft in [0, 100]; 0 if the user left, or if there is no draft.

        Details: `bleu` of the last draft however the dialogue ended, and the number of `drafts`.
        """
        drafts = [m.text for m in messages if _is_draft(m)]
        score = draft_bleu(drafts[-1], task.goal["text"]) if drafts else 0.0
        details = {"bleu": score, "drafts": float(len(drafts))}
        return Outcome(0.0 if ending == LEFT else score, ending, details)

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        """To the user, where the latest message, if a draft, departs from the text in mind, word by word.

        As an editor marks changes: `adds tom by ; lacks peter before`, `no difference`. People see it at a glance.
        """
        draft = read_agent(messages[-1].text).draft if messages[-1].role == "agent" else None
        if draft is None:
            return ""
        wanted, written = task.goal["text"].split(), draft.text.split()
        parts = (
            (name, [word for word in dict.fromkeys(of) if word not in other])
            for name, of, other in (("adds", written, wanted), ("lacks", wanted, written))
        )
        return " ; ".join(" ".join([name, *words]) for name, words in parts if words) or "no difference"

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        """The agent's last draft in the log; None if it never drafted."""
        position = _last_draft(messages)
        return None if position is None else FinalAct(position, DRAFT)

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        """BLEU of `text` (with its `draft :`; 0 if it is no draft) as the last draft of this log.

        The log determines it because this was the last draft that was written. What the user would have said to
        another one (approved, commented, left) is not in the log and is left out of account, here as in every static
        training on logged contexts. None for any other position.
        """
        if position != _last_draft(messages):
            return None
        return draft_bleu(text, task.goal["text"])

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        """See `understudy.tasks.edit.coherence`."""
        return checks.coherence(task, messages)

    def act(self, task: Task, message: Message) -> str:
        """A draft with how many slots it gets right, or what is asked for; what a user speaks of, approval and leaving."""
        if message.role == "agent":
            said = read_agent(message.text)
            if said.draft is None:
                return " ".join([said.kind, said.slot]).strip()
            right = sum(v == task.goal["slots"][slot] for v, slot in zip(said.draft.values, SLOTS, strict=True))
            return f"draft {right} right"
        if message.end:
            return "approves" if approves(message.text) else "leaves"
        told = read_user(message.text)
        valued = {slot for slot, _ in told.values}
        return ", ".join(f"{name}{' told' if name in valued else ''}" for name in sorted(told.named)) or "says nothing"

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        """See `understudy.tasks.edit.prompted`."""
        return prompted_reply(task, messages)

    def script(self, task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
        """See `understudy.tasks.edit.script`."""
        return script(task, messages, rng)


def draft_bleu(message: str, target: str) -> float:
    """Sentence BLEU in [0, 100] of an agent's message read as a draft; 0 if it is none."""
    draft = read_agent(message).draft
    return bleu(draft.text, target) if draft else 0.0


def _is_draft(message: Message) -> bool:
    return message.role == "agent" and read_agent(message.text).draft is not None


def _last_draft(messages: Sequence[Message]) -> int | None:
    return next((i for i in reversed(range(len(messages))) if _is_draft(messages[i])), None)
