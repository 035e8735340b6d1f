"""What makes a logged conversation usable, and the few things that are mended on the way, each counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from understudy.logs.conversation import Conversation, Turn
from understudy.logs.unfit import Unfit

JOINED = "messages of one side in a row, joined"
NO_LAST_WORD = "an empty last message, left out"
SYSTEM_JOINED = "system messages at the start, joined"


def check(conversation: Conversation) -> tuple[Conversation, list[str]]:
    """The conversation as it can be used, and what was mended in it (each kind once).

    The two sides must take turns. Several messages of one side in a row are joined by line breaks, unless tools are called
    between them; calls and answers of tools stay as they are.

    Raises:
        Unfit: with all faults: a side says nothing, a message is empty (the last one aside), a system message comes late.
    """
    faults = message_faults(conversation.turns)
    turns, mended = list(conversation.turns), []
    if turns and _is_empty(turns[-1]):
        turns.pop()
        mended.append(NO_LAST_WORD)
    said = {turn.role for turn in turns}
    faults += [Unfit(f"nothing said by the {role}") for role in ("user", "assistant") if role not in said]
    if faults:
        raise Unfit.of_all(faults)
    joined: list[Turn] = []
    for turn in turns:
        if joined and turn.role == joined[-1].role and turn.role != "tool" and not joined[-1].calls:
            joined[-1] = _join(joined[-1], turn)
            kind = SYSTEM_JOINED if turn.role == "system" else JOINED
            if kind not in mended:
                mended.append(kind)
        else:
            joined.append(turn)
    return replace(conversation, turns=tuple(joined)), mended


def message_faults(turns: Sequence[Turn | None]) -> list[Unfit]:
    """What is wrong with single messages: empty ones (the last one aside), and system messages that come late.

    Args:
        turns: None stands for a message that could not be read.
    """
    told = turns[:-1] if turns and _is_empty(turns[-1]) else turns
    numbered = [(number, turn) for number, turn in enumerate(told, 1) if turn is not None]
    start = next((number for number, turn in numbered if turn.role != "system"), len(told))
    return [
        *(Unfit("an empty message", f"message {n}, {turn.role}") for n, turn in numbered if _is_empty(turn)),
        *(
            Unfit("a system message in the middle", f"message {n}")
            for n, turn in numbered
            if n > start and turn.role == "system"
        ),
    ]


def _is_empty(turn: Turn | None) -> bool:
    return turn is not None and not turn.text.strip() and not turn.may_be_empty


def _join(one: Turn, other: Turn) -> Turn:
    """Both messages as one; fields of the second that the first has with another value are kept under `joined`."""
    extra = {**other.extra, **one.extra}
    if any(extra[key] != value for key, value in other.extra.items()):
        earlier = extra.get("joined", [])
        extra["joined"] = [*(earlier if isinstance(earlier, list) else [earlier]), dict(other.extra)]
    return replace(one, text=f"{one.text}\n{other.text}", extra=extra)
