"""Replaces personal data in logs by placeholders that stay the same within a conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from understudy.errors import LogError
from understudy.logs.conversation import Conversation, read_conversations
from understudy.logs.files import write_records
from understudy.logs.formats.base import PERSON_KEYS, person_name
from understudy.logs.personal_data import Finder, find, finders


@dataclass
class ScrubSummary:
    """What was replaced.

    Attributes:
        conversations: read and written.
        touched: conversations in which something was replaced.
        replaced: pieces of personal data by kind.
        persons: persons who got a number for a name.
    """

    conversations: int = 0
    touched: int = 0
    replaced: Counter[str] = field(default_factory=Counter)
    persons: int = 0


def scrub_logs(
    source: Path,
    out: Path,
    *,
    names: Sequence[str] = (),
    region: str = "US",
    on_conversation: Callable[[int], None] = lambda count: None,
) -> ScrubSummary:
    """Write `source` to `out` with every piece of personal data found replaced, such as `[EMAIL_1]`.

    The same piece has the same placeholder throughout one conversation, and no relation to other conversations. Words,
    and texts in all other fields (calls of tools, notes), are scrubbed; a person's name or hash becomes `person-1`, in
    the order of appearance, and so does what messages and records say under the same keys.

    Raises:
        LogError: if `source` is no file of conversations, or `out` exists.
        RunError: if `out` cannot be written.
    """
    by, summary, persons = finders(names, region), ScrubSummary(), dict[str, str]()

    def scrubbed(conversation: Conversation) -> dict[str, Any]:
        clean, counts = scrub(conversation, by, persons)
        summary.conversations += 1
        summary.touched += bool(counts)
        summary.replaced.update(counts)
        summary.persons = len(persons)
        on_conversation(summary.conversations)
        return clean.record()

    write_records(out, (scrubbed(c) for c in read_conversations(source)))
    return summary


def read_names(path: Path) -> list[str]:
    """One name per line; blank lines are skipped.

    Raises:
        LogError: if the file cannot be read.
    """
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot be read: {error}", where=str(path), fix="give a text file, one name per line") from None


def scrub(
    conversation: Conversation, by: Sequence[Finder], persons: dict[str, str]
) -> tuple[Conversation, Counter[str]]:
    """One conversation without what the finders find, and how many pieces of each kind were replaced.

    Args:
        persons: name of each person so far -> its number, to which new ones are added. Whatever stands under a key that
            names persons is one.
    """
    placeholders: dict[tuple[str, str], str] = {}
    counts: Counter[str] = Counter()

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return _replaced(value, by, placeholders, counts)
        if isinstance(value, Mapping):
            return {key: numbered(inner) if _names_person(key) else clean(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [clean(inner) for inner in value]
        return value

    def numbered(value: Any) -> Any:
        name = person_name(value)
        return clean(value) if name is None else persons.setdefault(name, f"person-{len(persons) + 1}")

    person = None if conversation.person is None else numbered(conversation.person)
    turns = tuple(replace(turn, text=clean(turn.text), extra=clean(turn.extra)) for turn in conversation.turns)
    extra = clean(conversation.extra)
    return replace(conversation, id=clean(conversation.id), person=person, turns=turns, extra=extra), counts


def _names_person(key: object) -> bool:
    return str(key).removeprefix("logged_") in PERSON_KEYS


def _replaced(text: str, by: Sequence[Finder], placeholders: dict[tuple[str, str], str], counts: Counter[str]) -> str:
    pieces, end = [], 0
    for span in find(text, by):
        # However it was written: case, blanks and dashes do not make another address or number.
        key = (span.kind, "".join(c for c in text[span.start : span.stop].lower() if c.isalnum() or c in "@.+:"))
        if key not in placeholders:
            placeholders[key] = f"[{span.kind}_{sum(kind == span.kind for kind, _ in placeholders) + 1}]"
        counts[span.kind] += 1
        pieces += [text[end : span.start], placeholders[key]]
        end = span.stop
    return "".join((*pieces, text[end:]))
