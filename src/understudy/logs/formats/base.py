"""What a format is, and the helpers that most of them share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from understudy.logs.check import message_faults
from understudy.logs.conversation import Conversation, Turn, TurnRole
from understudy.logs.unfit import Unfit

ROLES: dict[str, TurnRole] = {
    **dict.fromkeys(("user", "human", "customer", "client", "prompter", "person", "visitor"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bard", "bot", "agent", "model", "ai", "chatbot"), "assistant"),
    **dict.fromkeys(("admin", "operator", "advisor", "support", "function_call"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "function_response", "tool_response"), "tool"),
}  # fmt: skip
"""Words that logs use for who speaks, in lower case."""
ID_KEYS = ("id", "conversation_id", "conversation_hash", "dialogue_id", "dialog_id", "chat_id", "session_id", "uuid")
PERSON_KEYS = ("person", "person_id", "user_id", "hashed_ip", "customer_id", "user", "worker_id")


class Format(NamedTuple):
    """One way in which logs are written.

    Attributes:
        name: as in `--format`.
        recognises: whether a record looks like it.
        read: the record as a conversation; the second argument is the place where it was found, for want of an id.
            Raises `Unfit`.
    """

    name: str
    recognises: Callable[[object], bool]
    read: Callable[[object, str], Conversation]


def conversation(
    record: Mapping[str, Any],
    messages_key: str,
    where: str,
    *,
    role_keys: Sequence[str] = ("role",),
    text_keys: Sequence[str] = ("content",),
) -> Conversation:
    """A record that holds a list of messages under one key, all else kept as it came.

    Raises:
        Unfit: if messages have no known role, or their words are no text; with what `check` would find in the others.
    """
    messages = record.get(messages_key)
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise Unfit("no list of messages", f"key {messages_key}")
    turns = _turns(messages, role_keys, text_keys)
    id_key, identity = first_of(record, ID_KEYS)
    person_key = next((key for key in PERSON_KEYS if person_name(record.get(key)) is not None), None)
    person = record[person_key] if person_key else None
    used = {messages_key, id_key, person_key}
    extra = {key: value for key, value in record.items() if key not in used}
    return Conversation(str(identity) if id_key else place_name(where), turns, person_name(person), extra)


def _turns(messages: Sequence[object], role_keys: Sequence[str], text_keys: Sequence[str]) -> tuple[Turn, ...]:
    turns, faults = list[Turn | None](), list[Unfit]()
    for index, message in enumerate(messages):
        try:
            turns.append(turn(message, index, role_keys, text_keys))
        except Unfit as unfit:
            turns.append(None)
            faults.append(unfit)
    if faults:
        raise Unfit.of_all([*faults, *message_faults(turns)])
    return tuple(turn for turn in turns if turn is not None)


def turn(message: object, index: int, role_keys: Sequence[str], text_keys: Sequence[str]) -> Turn:
    """One message. Its words may be a text, nothing (a call of a tool), or a list of parts of which some are text.

    Raises:
        Unfit: if it is no object, or with what is wrong with its role and its words.
    """
    place = f"message {index + 1}"
    if not isinstance(message, Mapping):
        raise Unfit("a message is no object", place)
    role_key, word = first_of(message, role_keys)
    text_key, text = first_of(message, text_keys)
    said_by = word.strip().lower() if isinstance(word, str) else ""
    faults = [] if said_by in ROLES else [Unfit("unknown role", f"{place}: {word!r}")]
    kept = {
        key: value
        for key, value in message.items()
        if key not in (role_key, text_key) and value is not None and not (key in text_keys and value == "")
    }
    if isinstance(text, list):
        if not all(_is_text(part) for part in text):
            kept["parts"] = text
        text = "\n".join(part if isinstance(part, str) else part["text"] for part in text if _is_text(part))
    if said_by == "function_call":  # of ShareGPT: a turn that is nothing but the call
        kept, text = {**kept, "function_call": text}, ""
    if text is None:
        text = ""
    if not isinstance(text, str):
        faults.append(Unfit("words that are no text", f"{place}: {type(text).__name__}"))
    if faults:
        raise Unfit.of_all(faults)
    return Turn(ROLES[said_by], text, kept)


def _is_text(part: object) -> bool:
    return isinstance(part, str) or (isinstance(part, Mapping) and isinstance(part.get("text"), str))


def place_name(where: str) -> str:
    """A name for what was found at a place: without the folders, which may hold somebody's name."""
    return where.replace("\\", "/").rsplit("/", 1)[-1]


def person_name(value: object) -> str | None:
    """Who a person is, as text; None for nobody. A whole number is one, however it was stored."""
    if value is None or isinstance(value, Mapping | list):
        return None
    if isinstance(value, float):
        return None if not math.isfinite(value) else str(int(value)) if value.is_integer() else repr(value)
    return str(value).strip() or None


def first_of(record: Mapping[str, Any], keys: Sequence[str]) -> tuple[str | None, Any]:
    """The first of these keys that has a value (an empty text is none), and the value."""
    found = next((key for key in keys if record.get(key) is not None and record[key] != ""), None)
    return found, record[found] if found is not None else None


def has_messages(record: object, key: str, *message_keys: str) -> bool:
    """Whether the record holds a list of objects under `key`, the first of which has all of `message_keys`."""
    if not isinstance(record, Mapping) or not isinstance(record.get(key), list) or not record[key]:
        return False
    first = record[key][0]
    return isinstance(first, Mapping) and all(k in first for k in message_keys)
