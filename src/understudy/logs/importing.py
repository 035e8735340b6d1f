"""Logs in any known form, made into one checked file; what cannot be used is written down with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal, cast

from understudy.config import HUB_PREFIX, hub_name
from understudy.errors import LogError
from understudy.logs.check import check
from understudy.logs.conversation import Conversation
from understudy.logs.files import line_of, refuse_existing
from understudy.logs.formats import TABLE, Format, Unfit, form_of, format_named, unknown_form
from understudy.logs.formats.base import PERSON_KEYS
from understudy.logs.formats.table import conversation_of, in_order, plain_name, read_rows
from understudy.logs.index import RowIndex, SeenIndex
from understudy.logs.sources import Raw, files_of, hub_records, raw_records
from understudy.logs.sources.raw import beginning
from understudy.runs import atomic_folder, write_json

DIALOGUES, REJECTS, SUMMARY = "dialogues.jsonl", "rejects.jsonl", "summary.json"
DUPLICATE = "the same words as another conversation"
RENAMED = "an id that was used before, numbered"
UNORDERED = "rows whose times cannot all be read, in the order of the table"
LOST_ROW = "a row of it could not be read"
UNKNOWN_FORM = "a file in no form that is known"
_LOOKAHEAD = 20
"""Records of a file that may come before the first conversation, such as a line about the export."""

Unit = Literal["bytes", "records"]
OnProgress = Callable[[str, int, int, Unit], None]
"""Called with the file or data set, how much of it is read, its size (0 where unknown), and the unit of both."""


@dataclass
class ImportSummary:
    """What was found, and what became of it.

    Attributes:
        formats: files by the format that they were read as.
        records: conversations found, and pieces of the files that could not be read.
        kept: conversations written.
        messages: in these, by role.
        persons: different persons known in these; conversations without a known person are not among them.
        without_person: conversations kept without a known person.
        with_tools: conversations kept in which tools are called or answer, by messages or annotations (see `Turn.uses_tools`).
        mended: conversations kept after something was mended, by what.
        rejected: records by the (first) reason why they were not kept.
        passed_over: files in folders that hold no logs, by `files_of`.
    """

    formats: Counter[str] = field(default_factory=Counter)
    records: int = 0
    kept: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    persons: int = 0
    without_person: int = 0
    with_tools: int = 0
    mended: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    passed_over: list[str] = field(default_factory=list)


def import_logs(
    paths: Sequence[str],
    out: Path,
    *,
    format_name: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: str = "train",
    keep_duplicates: bool = False,
    on_progress: OnProgress = lambda file, position, size, unit: None,
) -> ImportSummary:
    """Read files, folders and data sets by name (`hub:owner/name`, `hub:owner/name:config`) into `out`.

    Writes `dialogues.jsonl`, `rejects.jsonl` (file, line, reason, detail, what else is wrong, and the record) and
    `summary.json`; the folder appears whole or not at all. What was seen is kept on disk; in memory stay a number per
    person, and the names of conversations that lost a row.

    Args:
        format_name: reads everything as this format; without it each file is read as what one of its first records looks like.
        columns: what columns of tables are called -> what they are (`conversation_id`, `role`, `text`, `time`, `user_id`).
        split: of data sets by name.
        keep_duplicates: whether conversations with the same words are different ones, as short ones often are.

    Raises:
        LogError: if a path is missing or cannot be read, holds no known form, no conversation is usable, or `out` exists.
        RunError: if `out` cannot be written.
    """
    refuse_existing(out)
    forced = format_named(format_name) if format_name else None
    sources = [(path, None) if path.startswith(HUB_PREFIX) else (path, files_of(Path(path))) for path in paths]
    reading = _Reading(forced, columns or {})
    with atomic_folder(out) as unfinished:
        with _Writer(unfinished, keep_duplicates) as writer:
            for path, files in sources:
                if files is None:
                    name, config = hub_name(path)
                    streamed = hub_records(name, split, config, lambda n, f=name: on_progress(f, n, 0, "records"))  # type: ignore[misc]
                    reading.source(streamed, writer)
                    continue
                writer.summary.passed_over += map(str, files[1])
                for file in files[0]:
                    size = file.stat().st_size
                    records = raw_records(file, lambda at, f=str(file), n=size: on_progress(f, at, n, "bytes"))  # type: ignore[misc]
                    reading.source(records, writer)
                    on_progress(str(file), size, size, "bytes")
        summary = writer.summary
        if not summary.kept:
            raise writer.unknown or LogError(
                f"none of {summary.records} conversations can be used: {writer.first_reject or 'the files are empty'}",
                where=", ".join(paths),
                fix="mend the logs, or give others (docs/logs.md says what is usable)",
            )
        write_json(unfinished / SUMMARY, vars(summary))
    return summary


class _Writer:
    """Checks conversations and writes what is usable and what is not."""

    def __init__(self, folder: Path, keep_duplicates: bool) -> None:
        self.folder, self.keep_duplicates, self.summary = folder, keep_duplicates, ImportSummary()
        self.unknown: LogError | None = None
        self.first_reject = ""
        self._seen = SeenIndex(folder / "seen.sqlite")
        self._persons: set[int] = set()
        self._dialogues = (folder / DIALOGUES).open("w", encoding="utf-8", newline="\n")
        self._rejects = (folder / REJECTS).open("w", encoding="utf-8", newline="\n")

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._dialogues, self._rejects):
            file.close()
        self._seen.close()
        (self.folder / "seen.sqlite").unlink()

    def take(self, where: str, record: object, read: Callable[[], Conversation], mended: Sequence[str] = ()) -> None:
        """Write the conversation that `read` gives, or the record with the reason why not."""
        try:
            conversation, more = check(read())
            mended = [*mended, *more]
            twin = None if self.keep_duplicates else self._seen.twin(conversation, where)
            if twin is not None:
                raise Unfit(DUPLICATE, twin)
        except Unfit as unfit:
            self.reject(where, unfit, record)
            return
        unique = self._seen.unique(conversation.id)
        if unique != conversation.id:
            conversation, mended = replace(conversation, id=unique), [*mended, RENAMED]
        self._dialogues.write(line_of(conversation.record()))
        self._count(conversation, mended)

    def problem(self, raw: Raw) -> None:
        """Write down what could not even be parsed."""
        self.reject(raw.where, Unfit(raw.problem, raw.detail), raw.text)

    def unknown_form(self, first: Raw) -> None:
        """Write down a file that holds no conversation in any form that is known, by its first record."""
        error = unknown_form(first.record, first.where)
        self.unknown = self.unknown or error
        # The record may be all of a large file.
        self.reject(first.where, Unfit(UNKNOWN_FORM, error.what), beginning(line_of(first.record)))

    def reject(self, where: str, unfit: Unfit, record: object) -> None:
        """Write down a record with the reason why it cannot be used."""
        self.summary.records += 1
        self.summary.rejected[unfit.kind] += 1
        self.first_reject = self.first_reject or f"{where}: {unfit}"
        also = {"also": [str(other) for other in unfit.also]} if unfit.also else {}
        self._rejects.write(
            line_of({"where": where, "reason": unfit.kind, "detail": unfit.detail, **also, "record": record})
        )

    def _count(self, conversation: Conversation, mended: list[str]) -> None:
        summary = self.summary
        summary.records += 1
        summary.kept += 1
        summary.messages.update(turn.role for turn in conversation.turns)
        summary.mended.update(mended)
        summary.with_tools += any(turn.uses_tools for turn in conversation.turns)
        if conversation.person is None:
            summary.without_person += 1
        else:
            self._persons.add(hash(conversation.person))
            summary.persons = len(self._persons)


@dataclass(frozen=True)
class _Reading:
    """How records become conversations."""

    forced: Format | None
    columns: Mapping[str, str]

    def source(self, records: Iterable[Raw], writer: _Writer) -> None:
        """Everything in one file. Its form is that of the first record that looks like one."""
        records = map(self._renamed, records)
        form, head, readable = self.forced, list[Raw](), list[Raw]()
        while form is None and len(readable) < _LOOKAHEAD and (raw := next(records, None)) is not None:
            if raw.problem and raw.record is None:
                writer.problem(raw)
                continue
            head.append(raw)
            if not raw.problem:
                readable.append(raw)
                form = form_of(raw.record)
        if form is None:
            if readable:
                writer.unknown_form(readable[0])
            for raw in head:
                if raw.problem:
                    writer.problem(raw)
            return
        writer.summary.formats[form.name] += 1
        everything = chain(head, records)
        if form is TABLE:
            _read_table(everything, writer)
            return
        for raw in everything:
            if raw.problem:
                writer.problem(raw)
            else:
                writer.take(raw.where, raw.record, partial(_read, form, raw))

    def _renamed(self, raw: Raw) -> Raw:
        if not self.columns or not isinstance(raw.record, Mapping):
            return raw
        taken = {*self.columns.values(), *(PERSON_KEYS if "user_id" in self.columns.values() else ())}
        mapped = {self.columns[key]: value for key, value in raw.record.items() if key in self.columns}
        others = {key: value for key, value in raw.record.items() if key not in self.columns}
        apart = {f"logged_{key}" if plain_name(key) in taken else key: value for key, value in others.items()}
        return replace(raw, record={**mapped, **apart})


def _read(form: Format, raw: Raw) -> Conversation:
    if not form.recognises(raw.record):
        held = f"keys {', '.join(map(str, raw.record))}" if isinstance(raw.record, dict) else type(raw.record).__name__
        raise Unfit(f"not of the form {form.name}", held)
    return form.read(raw.record, raw.where)


def _read_table(records: Iterator[Raw], writer: _Writer) -> None:
    """Rows may come in any order. A conversation that lost a row is not kept: there would be a hole in it."""
    path = writer.folder / "rows.sqlite"
    rows, lost = RowIndex(path), set[str]()
    try:
        for raw in records:
            if raw.problem:
                writer.problem(raw)
                with suppress(Unfit):
                    lost.add(conversation_of(raw.record))
                continue
            try:
                name = conversation_of(raw.record)
            except Unfit as unfit:
                writer.reject(raw.where, unfit, raw.record)
                continue
            rows.add(name, raw.where, cast(Mapping[str, Any], raw.record))
        for name, found, where in rows.conversations():
            ordered, in_vain = in_order(found)
            read = partial(_read_rows, name, ordered, where, name in lost)
            writer.take(where, found, read, [UNORDERED] if in_vain else [])
    finally:
        rows.close()
        path.unlink(missing_ok=True)


def _read_rows(name: str, rows: Sequence[Mapping[str, Any]], where: str, lost: bool) -> Conversation:
    if lost:
        raise Unfit(LOST_ROW, f"conversation {name}")
    return read_rows(name, rows, where)
