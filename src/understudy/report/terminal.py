"""The summary in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.report.summary import DECODINGS, FamilySummary, Summary
from understudy.report.words import DAGGER, NO_FIGURE, count, interval, marked, number, percent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STAND_IN = f"{DAGGER} The prompted stand-in is a programme; its failings were designed in."


def print_summary(summary: Summary, console: Console) -> None:
    """One table per family, the paired differences, and what is missing."""
    from rich.text import Text

    if summary.label:
        console.print(Text(summary.label, style="bold yellow"))
    console.print(Text(summary.headline, style="bold"))
    for family in summary.families:
        console.print()
        console.print(_table(family))
        console.print(Text("paired differences over seeds, tuned decoding:", style="dim"))
        for d in family.differences:
            clear = "" if not d.interval.bounded or d.interval.excludes(0) else "  (interval holds 0)"
            words = f"  {marked(d.first)} - {d.second}: {interval(d.interval, family.digits, sign=True)}{clear}"
            console.print(Text(words))
    for name, lines in summary.missing.items():
        if lines:
            console.print(Text(f"missing on {name}: {'; '.join(lines)}", style="yellow"))
    console.print(Text(STAND_IN, style="dim"))


def _table(family: FamilySummary) -> Table:
    from rich.table import Table
    from rich.text import Text

    seeds = f"{len(family.seeds)} seed{'s' if len(family.seeds) != 1 else ''}"
    title = f"{family.family}: {family.reward_name} with {family.judge_label}, {seeds}, mean [95% interval]"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("arm")
    for name in (*DECODINGS, "recovered", "in training", "left", "turns", "real dialogues", "CPU-s"):
        table.add_column(name, justify="right")
    for arm in family.arms.values():
        cells = [
            marked(arm.arm),
            *(interval(arm.decoding[name], family.digits) for name in DECODINGS),
            percent(arm.recovered),
            number(arm.training_reward.mean, family.digits) if arm.training_reward else NO_FIGURE,
            f"{100 * arm.walked_out.mean:.0f}%",
            number(arm.turns.mean, 1),
            count(arm.real_dialogues),
            count(arm.cpu_seconds),
        ]
        table.add_row(*(Text(cell) for cell in cells))
    return table
