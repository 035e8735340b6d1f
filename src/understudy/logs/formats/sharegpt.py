"""The ShareGPT form."""

from __future__ import annotations

from understudy.logs.conversation import Conversation
from understudy.logs.formats.base import Format, conversation, has_messages


def _recognises(record: object) -> bool:
    return has_messages(record, "conversations", "from", "value")


def _read(record: object, where: str) -> Conversation:
    assert isinstance(record, dict)
    return conversation(record, "conversations", where, role_keys=("from",), text_keys=("value",))


SHAREGPT = Format("sharegpt", '{"conversations": [{"from": "human", "value": "hi"}, ...]}', _recognises, _read)
