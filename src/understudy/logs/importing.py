"""Logs in any known form, made into one checked file; what cannot be used is written down with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from understudy.errors import LogError
from understudy.logs.check import check
from understudy.logs.conversation import Conversation
from understudy.logs.files import line_of, refuse_existing
from understudy.logs.formats import TABLE, Format, Unfit, format_named, recognise
from understudy.logs.formats.table import conversation_of, read_rows, time_of
from understudy.logs.index import RowIndex, SeenIndex
from understudy.logs.sources import Raw, files_of, hub_records, raw_records
from understudy.runs import atomic_folder, write_json

DIALOGUES, REJECTS, SUMMARY = "dialogues.jsonl", "rejects.jsonl", "summary.json"
HUB_PREFIX = "hub:"
DUPLICATE = "the same words as another conversation"
RENAMED = "an id that was used before, numbered"

OnProgress = Callable[[str, int, int], None]
"""Called with the file, the position in it and its size, in bytes (0 where unknown)."""


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
        with_tools: conversations kept in which tools are called or answer.
        mended: conversations kept after something was mended, by what.
        rejected: records by the reason why they were not kept.
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


def import_logs(
    paths: Sequence[str],
    out: Path,
    *,
    format_name: str | None = None,
    split: str = "train",
    on_progress: OnProgress = lambda file, position, size: None,
) -> ImportSummary:
    """Read files, folders and data sets by name (`hub:owner/name`) into `out`.

    Writes `dialogues.jsonl`, `rejects.jsonl` (file, line, reason, detail, and the record) and `summary.json`; the folder
    appears whole or not at all. Memory does not grow with the logs.

    Args:
        format_name: reads everything as this format; without it each file is read as what its first record looks like.
        split: of data sets by name.

    Raises:
        LogError: if a path is missing or cannot be read, holds no known form, no conversation is usable, or `out` exists.
        RunError: if `out` cannot be written.
    """
    refuse_existing(out)
    forced = format_named(format_name) if format_name else None
    sources = [(path, None) if path.startswith(HUB_PREFIX) else (path, files_of(Path(path))) for path in paths]
    with atomic_folder(out) as unfinished:
        with _Writer(unfinished) as writer:
            for path, files in sources:
                if files is None:
                    name = path.removeprefix(HUB_PREFIX)
                    _read_source(name, hub_records(name, split), forced, writer)
                    continue
                for file in files:
                    size = file.stat().st_size
                    records = raw_records(file, lambda at, f=str(file), n=size: on_progress(f, at, n))  # type: ignore[misc]
                    _read_source(str(file), records, forced, writer)
                    on_progress(str(file), size, size)
        summary = writer.summary
        if not summary.kept:
            raise LogError(_none_usable(summary), where=", ".join(paths), fix="see the reasons, or give other logs")
        write_json(unfinished / SUMMARY, vars(summary))
    return summary


def _none_usable(summary: ImportSummary) -> str:
    reasons = "; ".join(f"{count} x {reason}" for reason, count in summary.rejected.most_common(5))
    return f"none of {summary.records} conversations can be used: {reasons or 'the files are empty'}"


class _Writer:
    """Checks conversations and writes what is usable and what is not."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.summary = folder, ImportSummary()
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

    def take(self, where: str, record: object, read: Callable[[], Conversation]) -> None:
        """Write the conversation that `read` gives, or the record with the reason why not."""
        self.summary.records += 1
        try:
            conversation, mended = check(read())
            twin = self._seen.twin(conversation, where)
            if twin is not None:
                raise Unfit(DUPLICATE, twin)
        except Unfit as unfit:
            self._reject(where, unfit.kind, unfit.detail, record)
            return
        unique = self._seen.unique(conversation.id)
        if unique != conversation.id:
            conversation, mended = replace(conversation, id=unique), [*mended, RENAMED]
        self._dialogues.write(line_of(conversation.record()))
        self._count(conversation, mended)

    def problem(self, raw: Raw) -> None:
        """Write down what could not even be parsed."""
        self.summary.records += 1
        self._reject(raw.where, raw.problem, raw.detail, raw.text)

    def _reject(self, where: str, reason: str, detail: str, record: object) -> None:
        self.summary.rejected[reason] += 1
        self._rejects.write(line_of({"where": where, "reason": reason, "detail": detail, "record": record}))

    def _count(self, conversation: Conversation, mended: list[str]) -> None:
        summary = self.summary
        summary.kept += 1
        summary.messages.update(turn.role for turn in conversation.turns)
        summary.mended.update(mended)
        summary.with_tools += any(turn.role == "tool" or "tool_calls" in turn.extra for turn in conversation.turns)
        if conversation.person is None:
            summary.without_person += 1
        else:
            self._persons.add(hash(conversation.person))
            summary.persons = len(self._persons)


def _read_source(name: str, records: Iterable[Raw], forced: Format | None, writer: _Writer) -> None:
    records = iter(records)
    head: list[Raw] = []
    for raw in records:
        head.append(raw)
        if not raw.problem:
            break
    readable = next((raw for raw in head if not raw.problem), None)
    form = forced or (recognise(readable.record, readable.where) if readable else None)
    if form is not None:
        writer.summary.formats[form.name] += 1
    everything = chain(head, records)
    if form is TABLE:
        _read_table(everything, writer)
        return
    for raw in everything:
        if raw.problem or form is None:
            writer.problem(raw)
        else:
            writer.take(raw.where, raw.record, lambda raw=raw, form=form: _read(form, raw))  # type: ignore[misc]


def _read(form: Format, raw: Raw) -> Conversation:
    if not form.recognises(raw.record):
        raise Unfit(f"not of the form {form.name}", _keys(raw.record))
    return form.read(raw.record, raw.where)


def _keys(record: object) -> str:
    return f"keys {', '.join(map(str, record))}" if isinstance(record, dict) else type(record).__name__


def _read_table(records: Iterator[Raw], writer: _Writer) -> None:
    path = writer.folder / "rows.sqlite"
    rows = RowIndex(path)
    try:
        for raw in records:
            if raw.problem:
                writer.problem(raw)
                continue
            try:
                name = conversation_of(raw.record)
            except Unfit as unfit:
                writer.problem(Raw(raw.where, None, unfit.kind, unfit.detail, str(raw.record)[:200]))
                continue
            assert isinstance(raw.record, dict)
            rows.add(name, time_of(raw.record), raw.where, raw.record)
        for name, found, where in rows.conversations():
            writer.take(where, found, lambda name=name, found=found, where=where: read_rows(name, found, where))  # type: ignore[misc]
    finally:
        rows.close()
        path.unlink(missing_ok=True)
