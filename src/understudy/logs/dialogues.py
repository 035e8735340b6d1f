"""From logged conversations to dialogues that a model of either side is fitted on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from understudy.errors import LogError
from understudy.logs.conversation import Conversation
from understudy.types import Dialogue, Message, Outcome, Role, Task

FAMILY = "logs"
UNKNOWN = "unknown"


def as_dialogue(conversation: Conversation, *, heard_words: int | None = None) -> Dialogue:
    """What the two sides said to each other; nothing is known of a reward (nan).

    Tools and their calls are between the agent and its machine, and are left out. Where the agent had the last word the
    user left without one; where the user had it, it left with it.

    Args:
        heard_words: the agent's messages are cut to so many words, for models that read little; None leaves them whole.

    Raises:
        LogError: if nobody says a word.
    """
    messages: list[Message] = []
    for turn in conversation.turns:
        role: Role = "user" if turn.role == "user" else "agent"
        text = _whole_characters(turn.text).strip()
        if turn.role not in ("user", "assistant") or not text:
            continue
        if messages and messages[-1].role == role:  # a call of a tool stood between
            messages[-1] = replace(messages[-1], text=f"{messages[-1].text}\n{text}")
        else:
            messages.append(Message(role, text))
    if heard_words is not None:
        messages = [m if m.role == "user" else replace(m, text=cut(m.text, heard_words)) for m in messages]
    if not messages:
        raise LogError("nobody says a word", where=conversation.id, fix="leave this conversation out")
    if messages[-1].role == "user":
        messages[-1] = replace(messages[-1], end=True)
    else:
        messages.append(Message("user", "", end=True))
    task = conversation.extra.get("task")
    goal = task.get("user_prompt") if isinstance(task, Mapping) else None
    prompt = "\n".join(turn.text for turn in conversation.turns if turn.role == "system")
    return Dialogue(
        task=Task(
            FAMILY,
            conversation.id,
            _whole_characters(prompt),
            _whole_characters(goal if isinstance(goal, str) else ""),
            {},
            messages[0].role,
        ),
        person=conversation.person or conversation.id,
        messages=tuple(messages),
        outcome=Outcome(math.nan, UNKNOWN),
    )


def _whole_characters(text: str) -> str:
    """Halves of characters, which JSON may hold, are replaced: no tokenizer takes them."""
    return text.encode("utf-8", "replace").decode()


def cut(text: str, words: int) -> str:
    """The first words of a text, with a mark where more follow."""
    found = text.split()
    return text if len(found) <= words else f"{' '.join(found[:words])} ..."
