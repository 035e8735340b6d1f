"""The main table in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.report.findings import headline
from understudy.report.palette import STAND_IN_NOTE, is_stand_in
from understudy.report.summary import ArmRow, FamilySummary, Summary
from understudy.report.words import number, percent, progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_summary(summary: Summary, console: Console) -> None:
    """The headline, one table per family, and what is missing."""
    from rich.text import Text

    console.print(Text(headline(summary), style="bold"))
    if summary.illustrative:
        console.print(Text(summary.illustrative, style="yellow"))
    for family in summary.families:
        console.print(_table(family))
    if any(is_stand_in(row.training_user) for family in summary.families for row in family.arms):
        console.print(Text(STAND_IN_NOTE, style="dim"))
    for line in summary.missing:
        console.print(Text(f"missing: {line}", style="dim"))


def _table(family: FamilySummary) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    # Names come from files: as Text, no bracket in them is taken for markup. The widths fit 80 columns.
    title = Text(f"{family.name}: {family.reward_name} with {family.people}, {progress(family)}")
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, collapse_padding=True, pad_edge=False
    )
    table.add_column("arm", no_wrap=True)
    for name in ("T=1", "tuned", "greedy", "recovered", "in\ntraining", "left", "real\ndialogues"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in family.arms:
        table.add_row(*(Text(cell) for cell in _cells(row, family)))
    return table


def _cells(row: ArmRow, family: FamilySummary) -> list[str]:
    scale = family.reward_max
    rewards = {name: number(estimate.mean, scale) for name, estimate in row.rewards.items()}
    tuned = row.rewards["tuned"]
    if tuned.has_interval:
        rewards["tuned"] += f" ±{number(tuned.half, scale)}"
    return [
        f"{row.arm}†" if is_stand_in(row.training_user) else row.arm,
        *(rewards.get(decoding, "–") for decoding in ("T=1", "tuned", "greedy")),
        percent(row.recovered.mean) if row.recovered else "",
        number(row.in_training.mean, scale) if row.in_training else "",
        percent(row.walked_out),
        f"{row.cost['real_dialogues']:,.0f}",
    ]
