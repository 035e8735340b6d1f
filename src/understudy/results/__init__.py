"""What judging and measuring write and the report reads: one `result.json` per stage."""

from understudy.results.arms import (
    PROGRAMME,
    ArmResult,
    Cost,
    Further,
    Interaction,
    Interactivity,
    InteractivityResult,
    Language,
    Score,
)
from understudy.results.forecast import ForecastReport, Foretold, ReplyEffect
from understudy.results.measured import HeldOutPerplexity, ShiftResult, UsersResult
from understudy.results.record import Figure, Record
from understudy.results.shift import KnownUsers, ShiftReport, SideShift, StepExample
from understudy.results.transcripts import Line, Transcript, TranscriptColumn, TranscriptsResult

__all__ = [
    "PROGRAMME",
    "ArmResult",
    "Cost",
    "Figure",
    "ForecastReport",
    "Foretold",
    "Further",
    "HeldOutPerplexity",
    "Interaction",
    "Interactivity",
    "InteractivityResult",
    "KnownUsers",
    "Language",
    "Line",
    "Record",
    "ReplyEffect",
    "Score",
    "ShiftReport",
    "ShiftResult",
    "SideShift",
    "StepExample",
    "Transcript",
    "TranscriptColumn",
    "TranscriptsResult",
    "UsersResult",
]
