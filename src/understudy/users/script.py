"""The scripted agent of a known-user family as a speaker: it writes the logs."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.runs import stream
from understudy.speaker import Failure, Request
from understudy.tasks.base import KnownUserFamily
from understudy.types import Message, Task, TokenRecord


class ScriptSpeaker:
    """Plays the family's imperfect scripted agent."""

    def __init__(self, family: KnownUserFamily) -> None:
        self.family = family

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [
            self.family.script(
                Task(self.family.name, "", r.prompt, "", {}), r.messages, stream(r.seed, "agent", str(len(r.messages)))
            )
            for r in requests
        ]

    def finish(self, key: int) -> TokenRecord | None:
        return None
