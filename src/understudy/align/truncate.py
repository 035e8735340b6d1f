"""Long dialogues, cut to what a model can read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from understudy.models.chat import ChatFormat
from understudy.types import Dialogue


@dataclass(frozen=True, slots=True)
class Truncated:
    """Dialogues that fit a model's context.

    Attributes:
        dialogues: whole or cut after some message of this side; what was cut does not end the dialogue.
        cut: how many were cut.
        dropped: how many did not fit even up to this side's first message, and are left out.
    """

    dialogues: list[Dialogue]
    cut: int
    dropped: int


def truncate(dialogues: Iterable[Dialogue], chat: ChatFormat, limit: int) -> Truncated:
    """Cut each dialogue after the last message of this side up to which it has at most `limit` tokens."""
    kept: list[Dialogue] = []
    cut = dropped = 0
    for dialogue in dialogues:
        count = _fitting_messages(dialogue, chat, limit)
        if count == 0:
            dropped += 1
            continue
        cut += count < len(dialogue.messages)
        kept.append(replace(dialogue, messages=dialogue.messages[:count]))
    return Truncated(kept, cut, dropped)


def _fitting_messages(dialogue: Dialogue, chat: ChatFormat, limit: int) -> int:
    prompt = dialogue.task.prompt(chat.side)
    tokens, fitting = len(chat.start(prompt, own_opens=chat.own_opens(dialogue.messages))), 0
    for position, message in enumerate(dialogue.messages):
        if message.role == chat.side:
            tokens += len(chat.own(message, dialogue.messages[:position])[0])
        else:
            tokens += len(chat.other(prompt, message, first=position == 0))
        if tokens > limit:
            break
        if message.role == chat.side:
            fitting = position + 1
    return fitting
