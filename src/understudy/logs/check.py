"""What makes a logged conversation usable, and the few things that are mended on the way, each counted."""

from __future__ import annotations

from dataclasses import replace

from understudy.logs.conversation import Conversation, Turn
from understudy.logs.formats.base import Unfit

JOINED = "messages of one side in a row, joined"
NO_LAST_WORD = "an empty last message, left out"
SYSTEM_JOINED = "system messages at the start, joined"


def check(conversation: Conversation) -> tuple[Conversation, list[str]]:
    """The conversation as it can be used, and what was mended in it (each kind once).

    The two sides must take turns. Several messages of one side in a row are joined by line breaks, unless tools are called
    between them; calls and answers of tools stay as they are.

    Raises:
        Unfit: if a side says nothing, a message is empty (the last one aside), or a system message comes late.
    """
    turns, mended = list(conversation.turns), []
    if turns and not turns[-1].text.strip() and not turns[-1].may_be_empty:
        turns.pop()
        mended.append(NO_LAST_WORD)
    for index, turn in enumerate(turns, 1):
        if not turn.text.strip() and not turn.may_be_empty:
            raise Unfit("an empty message", f"message {index}, {turn.role}")
    spoken = [index for index, turn in enumerate(turns) if turn.role != "system"]
    late = next((i for i, turn in enumerate(turns) if spoken and i > spoken[0] and turn.role == "system"), None)
    if late is not None:
        raise Unfit("a system message in the middle", f"message {late + 1}")
    for role in ("user", "assistant"):
        if not any(turn.role == role for turn in turns):
            raise Unfit(f"nothing said by the {role}")
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


def _join(one: Turn, other: Turn) -> Turn:
    """Both messages as one; fields of the second that the first has with another value are kept under `joined`."""
    extra = {**other.extra, **one.extra}
    if any(extra[key] != value for key, value in other.extra.items()):
        extra["joined"] = [*extra.get("joined", ()), dict(other.extra)]
    return replace(one, text=f"{one.text}\n{other.text}", extra=extra)
