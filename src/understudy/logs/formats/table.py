"""One message per row, as CSV exports and flat data sets have it: conversation, who spoke, what, and perhaps when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from understudy.logs.conversation import Conversation
from understudy.logs.formats.base import PERSON_KEYS, Format, Unfit, conversation, first_of

CONVERSATION_COLUMNS = (
    "conversation_id", "conversation", "dialogue_id", "dialog_id", "chat_id", "session_id", "thread_id", "ticket_id"
)  # fmt: skip
ROLE_COLUMNS = ("role", "speaker", "author", "sender", "from")
TEXT_COLUMNS = ("text", "content", "message", "utterance", "body")
TIME_COLUMNS = ("time", "timestamp", "created_at", "sent_at", "date")


def is_row(record: object) -> bool:
    """Whether the record is one message that names its conversation."""
    if not isinstance(record, Mapping):
        return False
    columns = (CONVERSATION_COLUMNS, ROLE_COLUMNS, TEXT_COLUMNS)
    return all(any(isinstance(record.get(c), str | int | float) for c in names) for names in columns)


def conversation_of(row: object) -> str:
    """The name of a row's conversation.

    Raises:
        Unfit: if it has none.
    """
    _, name = first_of(row, CONVERSATION_COLUMNS) if isinstance(row, Mapping) else (None, None)
    if name is None or not str(name).strip():
        raise Unfit("a row without a conversation", f"one of {', '.join(CONVERSATION_COLUMNS)}")
    return str(name)


def time_of(row: Mapping[str, Any]) -> str | float | None:
    """When it was said: a number if it is one, else text, which ISO 8601 sorts as it should; None if unknown."""
    _, time = first_of(row, TIME_COLUMNS)
    if time is None or time == "":
        return None
    try:
        return float(time)
    except (TypeError, ValueError):
        return str(time)


def read_rows(name: str, rows: Sequence[Mapping[str, Any]], where: str) -> Conversation:
    """The rows of one conversation, in order. Columns that are the same in all rows are said once.

    Raises:
        Unfit: if a row has no known role, or its words are no text.
    """
    person_key, person = first_of(rows[0], [k for k in PERSON_KEYS if k not in ROLE_COLUMNS])
    used = {person_key, *CONVERSATION_COLUMNS}
    messages = [{k: v for k, v in row.items() if k not in used and v not in (None, "")} for row in rows]
    record = {"id": name, "messages": messages, **({} if person is None else {"person": person})}
    return conversation(record, "messages", where, role_keys=ROLE_COLUMNS, text_keys=TEXT_COLUMNS)


def _read(record: object, where: str) -> Conversation:
    assert isinstance(record, Mapping)
    return read_rows(conversation_of(record), [record], where)


TABLE = Format("table", "rows with columns conversation_id, role, text and perhaps time, user_id", is_row, _read)
