"""A user of one's own that is not a model: it plays a customer of the task `elicit` by looking its order up.

Print one dialogue of it with the scripted agent:  python examples/own_user.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from understudy.runs import stream
from understudy.speaker import Failure, Request
from understudy.types import Message, TokenRecord


class LookupUser:
    """Says what the agent's last message asks for, repeats itself without end, and leaves after `patience` messages.

    Args:
        patience: agent messages that are answered, at least 1.
        mumbles: probability in [0, 1] of an answer that says nothing.
    """

    def __init__(self, patience: int = 6, mumbles: float = 0.1) -> None:
        self.patience, self.mumbles = patience, mumbles

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [self._answer(request) for request in requests]

    def finish(self, key: int) -> TokenRecord | None:
        return None  # no tokens: it is not a model

    def _answer(self, request: Request) -> Message | Failure:
        if request.goal is None or "slots" not in request.goal:
            return Failure("this user needs a goal with slots")  # the dialogue is left out and counted
        # All randomness comes from these three, so that a dialogue is the same alone or among a thousand others.
        rng = stream(request.seed, request.role, len(request.messages))
        heard = [message.text for message in request.messages if message.role == "agent"]
        if not heard:
            return Message("user", "a coffee , please")
        if len(heard) > self.patience:
            return Message("user", "i have to go", end=True)
        if rng.random() < self.mumbles:
            return Message("user", "hmm")
        return Message("user", self._words(request.goal["slots"], heard[-1], rng))

    def _words(self, order: Mapping[str, str], question: str, rng: np.random.Generator) -> str:
        asked = [value for slot, value in order.items() if slot in question.split()]
        return " and ".join(asked) or str(rng.choice(list(order.values())))


if __name__ == "__main__":
    from understudy.converse import Appointment, converse
    from understudy.tasks.elicit import Elicit
    from understudy.users.script import ScriptSpeaker

    family = Elicit()
    meeting = Appointment(0, family.sample_task(np.random.default_rng(3), "t-0"), "somebody", seed=3)
    held = converse(family, [meeting], ScriptSpeaker(family), LookupUser(), width=1)
    for message in held.dialogues[0].messages:
        print(f"{message.role:>5}: {message.text}")
    print(held.dialogues[0].outcome)
