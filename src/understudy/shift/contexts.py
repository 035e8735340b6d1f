"""The context h_t in which the agent speaks; dialogues that have ended stay in a state of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from understudy.types import Dialogue, Message, Role


@dataclass(frozen=True, slots=True)
class Context:
    """What stands before the agent at one turn, or that the dialogue is over.

    The agent's prompt is left out: both sides of a comparison draw their tasks from the same distribution.

    Attributes:
        messages: everything said before the agent's message of this turn; empty once the dialogue has ended.
        ended: how the dialogue ended (`Outcome.ending`), as an absorbing state; empty while it is alive.
    """

    messages: tuple[Message, ...]
    ended: str = ""

    @property
    def alive(self) -> bool:
        return not self.ended


def context_at_turn(dialogue: Dialogue, turn: int) -> Context:
    """h_t of one dialogue: all messages before the agent's message number `turn`, counted from 0.

    A dialogue in which the agent had no such message had ended by then. Its context is `<ended:how>` and nothing of
    what was said: its words belong to earlier turns, and would be counted again at each later one.

    Raises:
        ValueError: if `turn` < 0.
    """
    if turn < 0:
        raise ValueError(f"turn is {turn}: turns are counted from 0")
    seen = 0
    for position, message in enumerate(dialogue.messages):
        if message.role == "agent":
            if seen == turn:
                return Context(given_to("agent", dialogue.messages[:position]))
            seen += 1
    return Context((), ended=dialogue.outcome.ending or "unknown")


def given_to(side: Role, messages: Sequence[Message]) -> tuple[Message, ...]:
    """What one side is given of a dialogue: of the other side's messages, what is public."""
    return tuple(m if m.role == side or m.public is None else replace(m, text=m.heard) for m in messages)


def contexts_at_turn(dialogues: Sequence[Dialogue], turn: int) -> list[Context]:
    """`context_at_turn` of each dialogue, in order."""
    return [context_at_turn(dialogue, turn) for dialogue in dialogues]


def alive_by_turn(dialogues: Sequence[Dialogue]) -> list[int]:
    """How many dialogues are alive at turn 0, 1, ...; never rises, and the list ends before the first 0."""
    turns = [sum(m.role == "agent" for m in d.messages) for d in dialogues]
    return [sum(n > turn for n in turns) for turn in range(max(turns, default=0))]


def last_common_turn(a: Sequence[Dialogue], b: Sequence[Dialogue], min_alive: int = 1000) -> int | None:
    """The last turn at which both sets have `min_alive` dialogues alive; None if there is no such turn."""
    common = [
        t for t, (m, n) in enumerate(zip(alive_by_turn(a), alive_by_turn(b), strict=False)) if min(m, n) >= min_alive
    ]
    return common[-1] if common else None
