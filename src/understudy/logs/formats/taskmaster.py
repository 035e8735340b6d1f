"""Google's Taskmaster corpora; calls of the ordering system stay with the message that they are annotated at."""

from __future__ import annotations

from understudy.logs.conversation import Conversation
from understudy.logs.formats.base import Format, conversation, has_messages


def _recognises(record: object) -> bool:
    return has_messages(record, "utterances", "speaker", "text")


def _read(record: object, where: str) -> Conversation:
    assert isinstance(record, dict)
    return conversation(record, "utterances", where, role_keys=("speaker",), text_keys=("text",))


TASKMASTER = Format("taskmaster", '{"utterances": [{"speaker": "user", "text": "hi"}, ...]}', _recognises, _read)
