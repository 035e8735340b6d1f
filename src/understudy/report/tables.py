"""The tables of a run as Markdown, with every seed's figures: for papers, issues and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from understudy.report.by_turn import last_turn_shifts
from understudy.report.estimate import Estimate
from understudy.report.measured import late_rises, learning_curves
from understudy.report.palette import PROGRAMME_NOTE, REFEREE_NOTE, STAND_IN_NOTE, is_stand_in
from understudy.report.read import CellData, read_run
from understudy.report.summary import FamilySummary, summary_of
from understudy.report.words import interval_of, number, percent, progress, signed
from understudy.runs import write_text


def write_tables(run: Path, *others: Path, out: Path) -> Path:
    """Write what each arm earned, how arms differ, and how far training contexts were from those with the judging users.

    Args:
        run: the run folder, finished or not; with `others` as one (see `read_run`).
        out: the Markdown file.

    Raises:
        RunError: if there is no result, a damaged one, or the file cannot be written.
    """
    data = read_run(run, *others)
    summary = summary_of(data)
    parts = [part for family in summary.families for part in _family(family, data.of(family.name))]
    parts += _notes(summary.families)
    if summary.missing:
        parts.append("\n".join(["Missing:", "", *(f"* {line}" for line in summary.missing)]))
    write_text(out, "\n\n".join(parts) + "\n")
    return out


def _family(family: FamilySummary, cells: Sequence[CellData]) -> list[str]:
    title = f"## {family.name}: {family.reward_name} with {family.people}, {progress(family)}"
    return [title, _arms(family), *_differences(family), *_training(family, cells)]


def _notes(families: Sequence[FamilySummary]) -> list[str]:
    """What the tables mean, once for all of them."""
    notes = [
        "In brackets: 95% intervals over seeds (Student's t; Fieller's of shares), with one seed of rewards and AUC over its "
        "dialogues (bootstrap), and of a late rise over the steps of the mean curve. Recovered: share of the oracle's gain "
        "over base. Walk-outs at tuned decoding. AUC: contexts of training against those with the users who judge, each seed "
        "at the last turn measured in it. Late rise: of the reward in training over its last third."
    ]
    if any(is_stand_in(row.training_user) for family in families for row in family.arms):
        notes.append(STAND_IN_NOTE)
    notes += [REFEREE_NOTE] if any(family.referee for family in families) else []
    return notes + ([PROGRAMME_NOTE] if any(family.programme for family in families) else [])


def _arms(family: FamilySummary) -> str:
    scale = family.reward_max
    heads = ["arm", "T=1", "tuned", "greedy", "tuned, by seed", "recovered, tuned", "recovered, T=1", "in training"]
    rows = []
    for row in family.arms:
        rows.append(
            [
                f"{row.arm}†" if is_stand_in(row.training_user) else row.arm,
                *(_figure(row.rewards.get(decoding), scale) for decoding in ("T=1", "tuned", "greedy")),
                ", ".join(number(value, scale) for value in row.tuned),
                *(_share(row.recovered.get(decoding)) for decoding in ("tuned", "T=1")),
                _figure(row.in_training, scale),
                percent(row.walked_out),
                f"{row.cost['real_dialogues']:,.0f}",
                f"{row.cost['cpu_seconds']:,.0f}",
            ]
        )
    return _table([*heads, "walked out", "real dialogues", "CPU-s"], rows)


def _differences(family: FamilySummary) -> list[str]:
    """Those at tuned decoding, each with the same at the other decodings beside it."""
    scale = family.reward_max
    rows = []
    for found in family.differences:
        if found.decoding != "tuned":
            continue
        others = [family.difference(found.arm, found.other, decoding) for decoding in ("T=1", "greedy")]
        rows.append(
            [
                f"{found.arm} - {found.other}",
                _figure(found.estimate, scale),
                ", ".join(signed(value, scale) for value in found.by_seed.values()),
                *(_figure(other.estimate, scale) if other else "" for other in others),
            ]
        )
    return [_table(["paired difference", "tuned", "by seed", "T=1", "greedy"], rows)] if rows else []


def _training(family: FamilySummary, cells: Sequence[CellData]) -> list[str]:
    """Where training contexts ended against those with the judging users, and whether rewards had settled."""
    shifts, rises = last_turn_shifts(cells), late_rises(learning_curves(cells))
    rows = []
    for arm in dict.fromkeys([*rises, *shifts]):
        found = shifts.get(arm)
        rows.append(
            [
                arm,
                _figure(found.last, 1.0, 2) if found else "",
                ", ".join(number(value, 1.0, 2) for value in found.by_seed) if found else "",
                _figure(found.highest, 1.0, 2) if found else "",
                _figure(rises.get(arm), family.reward_max),
            ]
        )
    heads = ["training", "AUC of contexts, last turn", "by seed", "highest turn", "late rise of reward"]
    return [_table(heads, rows)] if rows else []


def _figure(estimate: Estimate | None, scale: float, digits: int = 3) -> str:
    if estimate is None:
        return ""
    return f"{number(estimate.mean, scale, digits)}{interval_of(estimate, scale, digits)}"


def _share(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    between = f" [{percent(estimate.low)}, {percent(estimate.high)}]" if estimate.has_interval else ""
    return f"{percent(estimate.mean)}{between}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
