"""What a simulated user's replies do to the reward: logged contexts taken up twice, with people's reply and with the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from understudy.converse import Appointment, converse
from understudy.runs import stream, stream_seed
from understudy.speaker import Speaker
from understudy.tasks.base import TaskFamily
from understudy.types import Dialogue, Message

AT_LEAST = 60
"""Logged replies of a turn to take up, whatever share of the dialogues comes to it."""


class Reaction(NamedTuple):
    """One logged reply of a person, and what came of it and of the user's own in its place.

    Attributes:
        logged: the logged dialogue.
        position: of the reply in it.
        people: the dialogue taken up after the person's reply, by the agent and the simulated user.
        simulated: the dialogue taken up before it.
    """

    logged: Dialogue
    position: int
    people: Dialogue
    simulated: Dialogue

    @property
    def before(self) -> tuple[Message, ...]:
        """What both replies answer."""
        return self.logged.messages[: self.position]

    @property
    def turn(self) -> int:
        """How many messages the user had written before."""
        return replies(self.before)


class Taken(NamedTuple):
    """Logged replies that were taken up, and how many dialogues could not be finished."""

    reactions: list[Reaction]
    failed: int


def replies(messages: Sequence[Message]) -> int:
    """How many messages the user wrote."""
    return sum(message.role == "user" for message in messages)


def reached_by_turn(dialogues: Sequence[Dialogue]) -> list[float]:
    """Share of the dialogues that come to the user's message 0, 1, ..., up to the last that any comes to."""
    counts = [replies(d.messages) for d in dialogues]
    return [sum(n > turn for n in counts) / len(counts) for turn in range(max(counts, default=0))]


def before_reply(dialogue: Dialogue, turn: int) -> tuple[Message, ...] | None:
    """What was said before the user's message number `turn`, counted from 0; None where there is no such message."""
    places = [i for i, message in enumerate(dialogue.messages) if message.role == "user"]
    return dialogue.messages[: places[turn]] if turn < len(places) else None


def take_up(
    family: TaskFamily,
    agent: Speaker,
    user: Speaker,
    dialogues: Sequence[Dialogue],
    *,
    count: int,
    reached: Sequence[float],
    width: int,
    seed: int,
    on_finished: Callable[[int, int], None] = lambda done, total: None,
) -> Taken:
    """About `count` logged replies, drawn at random; those of which either dialogue fails are left out.

    Both dialogues of a reply have the same seed, so that what is said alike in them is drawn alike.

    Args:
        reached: share of the agent's dialogues that come to the user's message 0, 1, ...: so are the replies shared out, as
            what they are averaged for weighs so much; but `AT_LEAST` of each turn, where the logs have as many (people may
            come further than the simulated user).
        on_finished: called with the dialogues finished or failed so far, and their total.
    """
    drawn: list[tuple[Dialogue, int]] = []
    total = sum(reached) or 1.0  # an agent may end every dialogue before the user has a word
    for turn in range(max(replies(d.messages) for d in dialogues)):
        share = reached[turn] if turn < len(reached) else 0.0
        places = [(d, len(said)) for d in dialogues if (said := before_reply(d, turn)) is not None]
        wanted = max(AT_LEAST, round(count * share / total))
        order = stream(seed, "replies", str(turn)).permutation(len(places))
        drawn += [places[i] for i in order[:wanted]]
    meetings = [
        Appointment(2 * k + own, d.task, d.person, stream_seed(seed, "reaction", str(k)), d.messages[: i + 1 - own])
        for k, (d, i) in enumerate(drawn)
        for own in (0, 1)
    ]
    held = converse(
        family, meetings, agent, user, width=width, on_finished=lambda done: on_finished(done, len(meetings))
    )
    found = {trace.key: trace.dialogue for trace in held.traces}
    reactions = [
        Reaction(d, i, found[2 * k], found[2 * k + 1])
        for k, (d, i) in enumerate(drawn)
        if 2 * k in found and 2 * k + 1 in found
    ]
    return Taken(reactions, len(held.failures))
