"""What was said, as acts: standing offers, agreement and endings, read from the messages alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from understudy.tasks.haggle.items import Triple, rest
from understudy.tasks.haggle.reading import Act, read
from understudy.types import Message, Role


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as understood in its place.

    Attributes:
        role: who spoke.
        act: as read, with two corrections: naming the very split that the other side offers accepts it, and an
            acceptance where the other side offers nothing is `unclear`.
        user_share: of an offer or an acceptance, what the *user* gets.
    """

    role: Role
    act: Act
    user_share: Triple | None = None


@dataclass(frozen=True, slots=True)
class History:
    """Everything heard so far.

    Attributes:
        heard: one entry for each message.
        agent_offer: the user's share under the agent's standing (latest) offer, None before the first.
        user_offer: the user's share under the user's standing (latest) offer, None before the first.
    """

    heard: tuple[Heard, ...]
    agent_offer: Triple | None
    user_offer: Triple | None


def listen(counts: Triple, messages: Sequence[Message]) -> History:
    """Read all messages in order."""
    heard: list[Heard] = []
    standing: dict[Role, Triple | None] = {"agent": None, "user": None}
    for message in messages:
        act = read(message.text, counts)
        offered = standing["user" if message.role == "agent" else "agent"]
        share: Triple | None = None
        if act.share is not None:
            share = act.share if message.role == "user" else rest(counts, act.share)
            if share == offered:
                act = Act("accept")
            else:
                standing[message.role] = share
        elif act.kind == "accept":
            share = offered
            if share is None:
                act = Act("unclear")
        heard.append(Heard(message.role, act, share))
    return History(tuple(heard), standing["agent"], standing["user"])


def ending_of(counts: Triple, messages: Sequence[Message]) -> tuple[str, Triple | None] | None:
    """Why the dialogue is over after its last message, with the user's share if the sides agreed; None if it goes on.

    `agreed`: the last message accepts the standing offer of the other side. `left`: the user ended it or said goodbye.
    `agent left`: the same by the agent.
    """
    if not messages:
        return None
    last = listen(counts, messages).heard[-1]
    if last.act.kind == "accept":
        return "agreed", last.user_share
    if messages[-1].end or last.act.kind == "leave":
        return ("left" if last.role == "user" else "agent left"), None
    return None
