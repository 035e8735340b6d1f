"""A conversation as somebody logged it, before any task is known: who said what, and all else as it came.

What `understudy logs` reads, checks, scrubs, splits and describes. Its record is the `messages` form of
`understudy.logs.record` with the keys of a task left out where none is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from understudy.errors import LogError

TurnRole = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a log.

    Attributes:
        role: `user` is the person, `assistant` the agent, `tool` what a tool answered the agent.
        text: the words; empty only where the assistant calls tools, or where somebody left without a word.
        extra: the message's other fields as they came (tool calls, names, times).
    """

    role: TurnRole
    text: str
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def calls(self) -> bool:
        """Whether a tool is called."""
        return bool(self.extra.get("tool_calls") or self.extra.get("function_call"))

    @property
    def uses_tools(self) -> bool:
        """Whether a tool is called or answers, in this message or in what is annotated at its words (Taskmaster)."""
        joined = self.extra.get("joined")
        fields = [self.extra, *(joined if isinstance(joined, list) else ())]
        return self.role == "tool" or self.calls or any(map(_annotates_a_call, fields))

    @property
    def may_be_empty(self) -> bool:
        """Whether it says something without a word: to or by a tool, in a picture, by leaving."""
        return self.role == "tool" or self.calls or bool(self.extra.get("parts") or self.extra.get("end"))


@dataclass(frozen=True, slots=True)
class Conversation:
    """What one person and one agent said to each other.

    Attributes:
        id: from the log, or the place where it was found.
        turns: in the order of the log.
        person: who the user was; None where the log does not say.
        extra: the record's other fields as they came.
    """

    id: str
    turns: tuple[Turn, ...]
    person: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """JSON-able, in the OpenAI `messages` form; other fields with our names are told apart as `logged_...`."""
        person = {} if self.person is None else {"person": self.person}
        messages = [_record({"role": turn.role, "content": turn.text}, turn.extra) for turn in self.turns]
        return _record({"id": self.id, **person, "messages": messages}, self.extra, "person")


def _annotates_a_call(fields: object) -> bool:
    """As Taskmaster-3 (`apis`) and Taskmaster-4 (`annotations`) write them; other annotations are of words."""
    if not isinstance(fields, Mapping):
        return False
    notes = fields.get("annotations")
    named = [note.get("name") for note in notes if isinstance(note, Mapping)] if isinstance(notes, list) else []
    return bool(fields.get("apis")) or "api_call" in named


def _record(ours: dict[str, Any], extra: Mapping[str, Any], *reserved: str) -> dict[str, Any]:
    taken = {*ours, *reserved}
    theirs = {f"logged_{k}" if k in taken else k: v for k, v in extra.items() if k not in taken or v is not None}
    return {**ours, **theirs}


def read_conversations(path: Path) -> Iterator[Conversation]:
    """The conversations of a file that `understudy logs` has written, one at a time.

    Raises:
        LogError: if the file cannot be read or a line is not such a record, naming file and line.
    """
    fix = "give a file that `understudy logs import` wrote"
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    yield _of_record(json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise LogError(
                        f"is no record of a conversation ({error})", where=f"{path}:{number}", fix=fix
                    ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot be read: {error}", where=str(path), fix=fix) from None


def _of_record(record: dict[str, Any]) -> Conversation:
    if not all(isinstance(m["content"], str) for m in record["messages"]):
        raise ValueError("a message whose content is no text")
    turns = tuple(
        Turn(m["role"], m["content"], {k: v for k, v in m.items() if k not in ("role", "content")})
        for m in record["messages"]
    )
    extra = {k: v for k, v in record.items() if k not in ("id", "person", "messages")}
    return Conversation(record["id"], turns, record.get("person"), extra)
