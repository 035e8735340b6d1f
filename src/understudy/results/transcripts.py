"""Dialogues about the same tasks, for reading."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.results.record import Record
from understudy.types import Dialogue


class Line(Record):
    """One message of a transcript."""

    role: str
    text: str
    end: bool
    shown: str = ""


class TranscriptColumn(Record):
    """One arm's dialogue on a task."""

    arm: str
    messages: list[Line]
    reward: float
    ending: str

    @classmethod
    def of(cls, arm: str, dialogue: Dialogue) -> TranscriptColumn:
        return cls(
            arm=arm,
            messages=[Line(role=m.role, text=m.text, end=m.end, shown=m.shown) for m in dialogue.messages],
            reward=dialogue.outcome.reward,
            ending=dialogue.outcome.ending,
        )


class Transcript(Record):
    """The same task with the same person in every arm."""

    goal: str
    columns: list[TranscriptColumn]


class TranscriptsResult(Record):
    """A few transcripts of one family and seed, chosen by their place in the list, not by their reward."""

    family: str
    seed: int
    judge_label: str
    transcripts: Sequence[Transcript]
