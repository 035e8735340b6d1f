"""The main tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from understudy.report.estimate import Estimate
from understudy.report.findings import headline
from understudy.report.palette import PROGRAMME_NOTE, STAND_IN_NOTE, is_stand_in
from understudy.report.summary import ArmRow, FamilySummary, Summary
from understudy.report.words import number, percent, progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_summary(summary: Summary, console: Console) -> None:
    """The headline, each family's tables, and what is missing."""
    from rich.text import Text

    console.print(Text(headline(summary), style="bold"))
    if summary.illustrative:
        console.print(Text(summary.illustrative, style="yellow"))
    for family in summary.families:
        console.print(_table(family))
        if (interaction := _interaction(family)) is not None:
            console.print(interaction)
        if family.rounds:
            console.print(_rounds(family))
    if any(is_stand_in(row.training_user) for family in summary.families for row in family.arms):
        console.print(Text(STAND_IN_NOTE, style="dim"))
    if any(family.programme for family in summary.families):
        console.print(Text(PROGRAMME_NOTE, style="dim"))
    for line in summary.missing:
        console.print(Text(f"missing: {line}", style="dim"))


def _table(family: FamilySummary) -> Table:
    # Names come from files: as Text, no bracket in them is taken for markup. The widths fit 80 columns.
    title = f"{family.name}: {family.reward_name} with {family.people}, {progress(family)}"
    columns = ["T=1", "tuned", "greedy", "recov-\nered", "in\ntraining", "left", "real\ndialogues"]
    return _rows(title, columns, [_cells(row, family) for row in family.arms])


def _interaction(family: FamilySummary) -> Table | None:
    """What the user goes through; None where it was not measured."""
    columns = {}
    if family.counted:
        columns["turns"] = [row.interaction.get("turns") for row in family.arms]
        columns[family.counted] = [row.interaction.get(family.counted) for row in family.arms]
    if family.interactivity_judged:
        columns["interactivity"] = [row.interactivity for row in family.arms]
    if not columns:
        return None
    cells = [[_value(e, 1.0 if name == "interactivity" else 10.0) for e in found] for name, found in columns.items()]
    title = f"{family.name}: the agent per dialogue, tuned decoding"
    return _rows(title, list(columns), [[_name(row), *found] for row, *found in zip(family.arms, *cells, strict=True)])


def _rounds(family: FamilySummary) -> Table:
    """What further training brought, with the user aligned again and with the same one."""
    scale = family.reward_max
    cells = [
        [
            row.words,
            str(row.steps),
            f"{row.real_dialogues:,.0f}",
            number(row.in_training.mean, scale) if row.in_training else "",
            number(row.rewards["T=1"].mean, scale) if "T=1" in row.rewards else "–",
            _value(row.rewards.get("tuned"), scale),
            percent(row.walked_out),
            number(row.told_apart.mean, 1.0) if row.told_apart else "–",
        ]
        for row in family.rounds
    ]
    columns = ["RL\nsteps", "real\ndialogues", "in\ntraining", "T=1", "tuned", "left", "AUC"]
    return _rows(f"{family.name}: the calibrated arm trained on", columns, cells)


def _rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """One arm per row."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title), title_justify="left", box=SIMPLE_HEAD, show_edge=False, collapse_padding=True, pad_edge=False
    )
    table.add_column("arm", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for cells in rows:
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _name(row: ArmRow) -> str:
    return f"{row.arm}†" if is_stand_in(row.training_user) else row.arm


def _value(estimate: Estimate | None, scale: float) -> str:
    """A mean, with half of its interval."""
    if estimate is None:
        return "–"
    half = f" ±{number(estimate.half, scale)}" if estimate.has_interval else ""
    return f"{number(estimate.mean, scale)}{half}"


def _cells(row: ArmRow, family: FamilySummary) -> list[str]:
    scale = family.reward_max
    rewards = {name: number(estimate.mean, scale) for name, estimate in row.rewards.items()}
    rewards["tuned"] = _value(row.rewards["tuned"], scale)
    return [
        _name(row),
        *(rewards.get(decoding, "–") for decoding in ("T=1", "tuned", "greedy")),
        percent(row.recovered["tuned"].mean) if "tuned" in row.recovered else "",
        number(row.in_training.mean, scale) if row.in_training else "",
        percent(row.walked_out),
        f"{row.cost['real_dialogues']:,.0f}",
    ]
