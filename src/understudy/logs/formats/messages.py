"""The OpenAI `messages` form, which is also what `understudy logs` writes."""

from __future__ import annotations

from understudy.logs.conversation import Conversation
from understudy.logs.formats.base import Format, conversation, has_messages


def _recognises(record: object) -> bool:
    return has_messages(record, "messages", "role")


def _read(record: object, where: str) -> Conversation:
    assert isinstance(record, dict)
    return conversation(record, "messages", where)


MESSAGES = Format("messages", 'OpenAI: {"messages": [{"role": "user", "content": "hi"}, ...]}', _recognises, _read)
