"""The seam between turn logic and whoever speaks: a model, a programme, an endpoint or a person, on either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from understudy.types import Message, Role, TokenRecord


@dataclass(frozen=True, slots=True)
class Request:
    """A request for the next message of one side, holding only what that side may see.

    Attributes:
        key: the dialogue; constant over its turns, unique within a conversation batch.
        role: the side that is asked.
        prompt: this side's prompt.
        messages: what was said so far, both sides.
        seed: of this dialogue; a speaker derives all its randomness from `(seed, role, len(messages))`.
        person: who the user is; empty for the agent's side.
        goal: the user's goal as facts; empty for the agent's side. Programmes read it, models never do.
        forced: words that the message must begin with (the static arm fixes the act); not sampled, not trained.
    """

    key: int
    role: Role
    prompt: str
    messages: tuple[Message, ...]
    seed: int
    person: str = ""
    goal: Mapping[str, Any] | None = None
    forced: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A speaker's failure to answer one request (time-out, malformed answer): the dialogue is left out and counted.

    Attributes:
        reason: what went wrong.
        fix: what to do about it, told where every dialogue has failed; empty if the speaker does not know.
    """

    reason: str
    fix: str = ""


class Speaker(Protocol):
    """Writes one side of many dialogues at once."""

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        """Answer every request, in order."""
        ...

    def finish(self, key: int) -> TokenRecord | None:
        """Forget a dialogue, and give the tokens of this side as sampled (None where no tokens exist)."""
        ...


@runtime_checkable
class TakesBack(Protocol):
    """A `Speaker` that keeps what it has read of a dialogue in which its own words are not what was said."""

    def take_back(self, key: int) -> None:
        """Forget what it wrote last there; the next request holds what was said in its place."""
        ...


class AsyncSpeaker(Protocol):
    """Writes one side of dialogues that coroutines hold one by one: a `Speaker` that is awaited for each message."""

    async def reply(self, request: Request) -> Message | Failure:
        """Answer one request."""
        ...

    async def finish(self, key: int) -> TokenRecord | None:
        """As `Speaker.finish`."""
        ...
