"""The form of WildChat and LMSYS-Chat: OpenAI's messages under another key, with the person as a hashed address."""

from __future__ import annotations

from understudy.logs.conversation import Conversation
from understudy.logs.formats.base import Format, conversation, has_messages


def _recognises(record: object) -> bool:
    return has_messages(record, "conversation", "role", "content")


def _read(record: object, where: str) -> Conversation:
    assert isinstance(record, dict)
    return conversation(record, "conversation", where)


WILDCHAT = Format("wildchat", '{"conversation": [{"role": "user", "content": "hi"}, ...]}', _recognises, _read)
