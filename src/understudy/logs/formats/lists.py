"""Records that hold their messages in a list under one key; they differ in the names of the keys."""

from __future__ import annotations

from typing import Any, cast

from understudy.logs.conversation import Conversation
from understudy.logs.formats.base import Format, conversation, has_messages


def _listed(name: str, key: str, role: str = "role", text: str = "content", *, needs_text: bool = True) -> Format:
    needed = (role, text) if needs_text else (role,)

    def read(record: object, where: str) -> Conversation:
        return conversation(cast(dict[str, Any], record), key, where, role_keys=(role,), text_keys=(text,))

    return Format(name, lambda record: has_messages(record, key, *needed), read)


MESSAGES = _listed("messages", "messages", needs_text=False)
"""OpenAI's form, which is also what `understudy logs` writes; a call of a tool may come without content."""
SHAREGPT = _listed("sharegpt", "conversations", "from", "value")
WILDCHAT = _listed("wildchat", "conversation")
"""WildChat and LMSYS-Chat."""
TASKMASTER = _listed("taskmaster", "utterances", "speaker", "text")
"""Google's Taskmaster corpora; calls of the ordering system stay with the message that they are annotated at."""
