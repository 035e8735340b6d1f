"""One message per row, as CSV exports and flat data sets have it: conversation, who spoke, what, and perhaps when."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from understudy.logs.conversation import Conversation
from understudy.logs.formats.base import PERSON_KEYS, ROLES, Format, conversation, first_of, person_name
from understudy.logs.unfit import Unfit

CONVERSATION_COLUMNS = (
    "conversation_id", "conversation", "dialogue_id", "dialog_id", "chat_id", "session_id", "thread_id", "ticket_id"
)  # fmt: skip
ROLE_COLUMNS = ("role", "speaker", "author", "sender", "from")
TEXT_COLUMNS = ("text", "content", "message", "utterance", "body")
TIME_COLUMNS = ("time", "timestamp", "ts", "datetime", "created_at", "created", "sent_at", "date")
REQUIRED = {"conversation": CONVERSATION_COLUMNS, "role": ROLE_COLUMNS, "text": TEXT_COLUMNS}


def plain_name(column: object) -> str:
    """A column's name in lower case and underscores, as `Conversation ID` is written by some."""
    return str(column).strip().lower().replace(" ", "_").replace("-", "_")


def plain_names(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with plain names for its columns."""
    return {plain_name(key): value for key, value in row.items()}


def is_row(record: object) -> bool:
    """Whether the record is one message that names its conversation."""
    if not isinstance(record, Mapping):
        return False
    row = plain_names(record)
    return all(any(isinstance(row.get(c), str | int | float) for c in names) for names in REQUIRED.values())


def conversation_of(row: object) -> str:
    """The name of a row's conversation.

    Raises:
        Unfit: if it has none.
    """
    _, name = first_of(plain_names(row), CONVERSATION_COLUMNS) if isinstance(row, Mapping) else (None, None)
    found = person_name(name)
    if found is None:
        raise Unfit("a row without a conversation", f"one of {', '.join(CONVERSATION_COLUMNS)}")
    return found


def time_of(row: Mapping[str, Any]) -> float | None:
    """When it was said, in seconds from some start: a number as it is, else ISO 8601; None if it is neither."""
    _, time = first_of(plain_names(row), TIME_COLUMNS)
    try:
        number = float(time)
        return number if math.isfinite(number) else None
    except (TypeError, ValueError):
        pass
    try:
        said = time if isinstance(time, datetime) else datetime.fromisoformat(str(time).strip())
    except ValueError:
        return None
    return (said if said.tzinfo else said.replace(tzinfo=UTC)).timestamp()


def in_order(rows: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], bool]:
    """By time where every row has one that can be read, else as they came; and whether they came with times in vain."""
    times = [time_of(row) for row in rows]
    if None in times:
        return list(rows), any(first_of(plain_names(row), TIME_COLUMNS)[0] is not None for row in rows)
    return [rows[i] for i in sorted(range(len(rows)), key=lambda i: cast(float, times[i]))], False


def read_rows(name: str, rows: Sequence[Mapping[str, Any]], where: str) -> Conversation:
    """The rows of one conversation, in order. The person is who the user's rows name.

    Raises:
        Unfit: if a row has no known role, or its words are no text.
    """
    plain = [plain_names(row) for row in rows]
    persons = [person_name(first_of(row, PERSON_KEYS)[1]) for row in plain]
    by_user = (p for row, p in zip(plain, persons, strict=True) if p and ROLES.get(_role(row)) == "user")
    column, conversation_column = first_of(plain[0], PERSON_KEYS)[0], first_of(plain[0], CONVERSATION_COLUMNS)[0]
    said_once = {conversation_column, column if len(set(persons)) == 1 else None}
    messages = [{k: v for k, v in row.items() if k not in said_once and v not in (None, "")} for row in plain]
    found = conversation({"messages": messages}, "messages", where, role_keys=ROLE_COLUMNS, text_keys=TEXT_COLUMNS)
    return replace(found, id=name, person=next(by_user, None))


def _role(row: Mapping[str, Any]) -> str:
    return str(first_of(row, ROLE_COLUMNS)[1]).strip().lower()


def _read(record: object, where: str) -> Conversation:
    assert isinstance(record, Mapping)
    return read_rows(conversation_of(record), [record], where)


TABLE = Format("table", is_row, _read)
