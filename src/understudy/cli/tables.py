"""Tables on the terminal: what `logs`, `align`, `shift` and `forecast` found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from understudy.logs.describe import SIDES, Description
from understudy.logs.importing import ImportSummary
from understudy.logs.scrub import ScrubSummary
from understudy.logs.splitting import SplitSummary
from understudy.realism.card import UserCard
from understudy.report.card_page import facts_of as card_facts
from understudy.report.card_page import rows_of, verdict
from understudy.report.forecast_page import facts_of as forecast_facts
from understudy.report.forecast_page import headline as forecast_headline
from understudy.report.forecast_page import rows_of as forecast_rows
from understudy.report.logs_page import endings_of, facts_of, speakers_of
from understudy.report.shift_page import facts_of as shift_facts
from understudy.report.shift_page import headline
from understudy.report.shift_page import rows_of as shift_rows
from understudy.results import ForecastReport, ShiftReport

if TYPE_CHECKING:  # it needs torch, which most verbs that print tables do not
    from understudy.models.cost import Estimate, Side

_TURNS = 10
"""Rows of the stop hazard on the terminal."""


def import_table(summary: ImportSummary) -> Table:
    """What was found, kept, mended and rejected."""
    rows = {
        "files": ", ".join(f"{count} {name}" for name, count in summary.formats.items()),
        "records": f"{summary.records:,}",
        "kept": f"{summary.kept:,}",
        "messages": ", ".join(f"{count:,} {role}" for role, count in sorted(summary.messages.items())),
        "persons": f"{summary.persons:,}"
        + (f" ({summary.without_person:,} unknown)" if summary.without_person else ""),
        "with tools": f"{summary.with_tools:,}",
    }
    table = _two_columns("import", rows)
    for title, counts in (("mended", summary.mended), ("rejected", summary.rejected)):
        table.add_section()
        for what, count in counts.most_common():
            table.add_row(escape(f"{title}: {what}"), f"{count:,}")
    return table


def scrub_table(summary: ScrubSummary) -> Table:
    """What was replaced."""
    rows = {
        "conversations": f"{summary.conversations:,}",
        "with personal data": f"{summary.touched:,}",
        "persons numbered": f"{summary.persons:,}",
    }
    table = _two_columns("scrub", rows)
    table.add_section()
    for kind, count in summary.replaced.most_common():
        table.add_row(f"replaced: {kind}", f"{count:,}")
    return table


def split_table(summary: SplitSummary) -> Table:
    """What went where."""
    table = Table(title="split", title_justify="left")
    table.add_column("split")
    table.add_column("conversations", justify="right")
    table.add_column("known persons", justify="right")
    for name, count in summary.conversations.items():
        table.add_row(name, f"{count:,}", f"{summary.persons[name]:,}")
    table.caption = (
        f"{summary.near_duplicates:,} conversations resemble another one; "
        f"the largest group that stays together has {summary.largest:,}"
    )
    return table


def description_table(description: Description) -> Table:
    """What is in the logs."""
    table = Table(title="logs", title_justify="left")
    table.add_column()
    for side in SIDES:
        table.add_column(side, justify="right")
    for figure, words in facts_of(description):
        table.add_row(words, figure)
    table.add_section()
    for row, values in speakers_of(description):
        table.add_row(row, *values)
    table.add_section()
    hazards = list(description.stop_hazard().items())
    for turn, hazard in hazards[:_TURNS]:
        table.add_row(f"stops with message {turn}", f"{hazard.mean:.0%} [{hazard.low:.0%}, {hazard.high:.0%}]")
    if len(hazards) > _TURNS:
        table.add_row(f"({len(hazards) - _TURNS} more on the page)")
    table.add_section()
    for ending, share, count in endings_of(description):
        table.add_row(escape(f"ends: {ending}"), f"{share} ({count})")
    return table


def card_table(card: UserCard) -> Table:
    """How far a user model is from held-out people."""
    table = Table(title=verdict(card.turns), title_justify="left")
    for column in ("message", "dialogues", "perplexity", "people leave", "model leaves"):
        table.add_column(column, justify="right")
    for row in rows_of(card):
        table.add_row(*row)
    table.caption = ", ".join(f"{figure} {words}" for figure, words in card_facts(card))
    return table


def shift_table(shift: ShiftReport) -> Table:
    """All tests of `understudy shift`."""
    table = Table(title=headline(shift), title_justify="left")
    for column in ("compared", "turn", "n", "AUC", "p", "TV ≥", "would see"):
        table.add_column(column, justify="left" if column == "compared" else "right", no_wrap=True)
    for row in shift_rows(shift):
        table.add_row(*row)
    table.caption = ", ".join(f"{figure} {words}" for figure, words in shift_facts(shift))
    return table


def forecast_table(forecast: ForecastReport) -> Table:
    """What `understudy forecast` found, by the user's turn."""
    table = Table(title=forecast_headline(forecast), title_justify="left")
    for column in ("turn", "reached", "simulated", "logged", "effect", "±", "± beyond", "covered"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in forecast_rows(forecast):
        table.add_row(*row)
    table.caption = ", ".join(f"{figure} {words}" for figure, words in forecast_facts(forecast))
    return table


def cost_table(sides: tuple[Side, Side], cost: Estimate, gpu: str) -> Table:
    """What `understudy cost` found."""
    table = Table(title=f"{cost.dialogues:,} dialogues on one {gpu}", title_justify="left")
    for column in ("", "agent", "user"):
        table.add_column(column, justify="right" if column else "left")
    for name, values in (
        ("parameters", [f"{s.shape.parameters / 1e9:.2f} billion" for s in sides]),
        ("weights in bf16", [_gigabytes(s.shape.weight_bytes) for s in sides]),
        ("tokens written per dialogue", [f"{s.turns * s.written:,}" for s in sides]),
        ("tokens read, caches kept", [f"{s.read:,}" for s in sides]),
        ("tokens read, history sent again", [f"{s.read_again:,}" for s in sides]),
        ("keys and values of a dialogue", [_gigabytes(s.cache_bytes) for s in sides]),
        ("operations of sampling a dialogue", [f"{s.sampling_operations:.2g}" for s in sides]),
        ("operations of learning from one", [f"{cost.training_operations:.2g}", ""]),
    ):
        table.add_row(name, *values)
    table.caption = (
        f"{cost.at_once:,} dialogues at once; {cost.sampling_hours:.2f} GPU-hours to hold them, "
        f"{cost.training_hours:.2f} to learn from them once; the agent in training takes {_gigabytes(cost.training_bytes)} "
        f"and {_gigabytes(cost.activation_bytes)} for each dialogue of a micro-batch"
    )
    return table


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.3g} GB"


def _two_columns(title: str, rows: Mapping[str, str]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    return table
