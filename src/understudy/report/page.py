"""The page: what the template shows, section by section."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from understudy.report import findings, palette, words
from understudy.report.by_turn import ShiftSources, detectable_shift, from_base, shift_curves, shift_sources
from understudy.report.estimate import Estimate
from understudy.report.measured import (
    UsersTable,
    agent_user_table,
    late_rises,
    learning_curves,
    log_size_points,
    people_heard,
    severity_points,
    users_table,
)
from understudy.report.plots.arms import ended_plot, promised_plot
from understudy.report.plots.curves import learning_plot, shift_plot, smoothing_window, sweep_plot
from understudy.report.read import RunData, read_run
from understudy.report.summary import FamilySummary, summary_of
from understudy.results import TranscriptsResult
from understudy.runs import write_text

_ABREAST = 4
"""Families side by side in the first picture."""


@dataclass(frozen=True)
class Section:
    """One family on the page; empty or None where the run has nothing to show."""

    summary: FamilySummary
    users: UsersTable | None
    agent_user: dict[str, dict[str, Estimate]]
    transcripts: TranscriptsResult | None
    plots: dict[str, str] = field(default_factory=dict)
    smoothing: int = 1
    shift: dict[str, dict[int, Estimate]] = field(default_factory=dict)
    rises: dict[str, Estimate] = field(default_factory=dict)
    people_heard: Estimate | None = None
    from_base: dict[str, dict[str, dict[int, Estimate]]] = field(default_factory=dict)
    sources: dict[str, ShiftSources] = field(default_factory=dict)
    detectable: tuple[float, float] | None = None
    interactivity_judge: str = ""

    @property
    def last_turn(self) -> int | None:
        """The last turn at which every curve of the shift was measured."""
        return min(max(points) for points in self.shift.values()) if self.shift else None


def build_report(run: Path, *others: Path, out: Path | None = None) -> Path:
    """Write the page of a run, finished or not, or of several as one (see `read_run`).

    Args:
        run: the run folder.
        out: the HTML file; `report.html` in the first run folder by default.

    Returns:
        Where the page was written.

    Raises:
        RunError: if the folder holds no result or a damaged one, or the page cannot be written.
    """
    target = Path(out) if out is not None else Path(run) / "report.html"
    write_text(target, render(read_run(run, *others)))
    return target


def render(data: RunData) -> str:
    """The page as HTML."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    summary = summary_of(data)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        name: getattr(words, name) for name in ("number", "signed", "percent", "spread", "between", "percent_between")
    }
    environment.filters["marked"] = _marked
    environment.tests["stand_in"] = palette.is_stand_in
    groups = [summary.families[i : i + _ABREAST] for i in range(0, len(summary.families), _ABREAST)]
    return environment.from_string(template("report.html.j2")).render(
        style=Markup(template("style.css")),
        summary=summary,
        title=findings.headline(summary),
        findings=findings.findings,
        shift_verdicts=findings.shift_verdicts,
        progress=words.progress,
        # SVG is drawn by our own code, which escapes what it writes: with the style, all that is not escaped again.
        svg=Markup,
        pictures=[(ended_plot(g, f"e{place}"), promised_plot(g, f"t{place}")) for place, g in enumerate(groups)],
        sections=[_section(data, family, f"f{place}") for place, family in enumerate(summary.families)],
        look=palette.look,
        heat=palette.heat,
        stand_in_note=palette.STAND_IN_NOTE,
        stand_in_short=palette.STAND_IN_SHORT,
        referee_note=palette.REFEREE_NOTE,
        programme_note=palette.PROGRAMME_NOTE,
        ran=_ran(data),
        arms_shown=[arm for arm in palette.ARM_LOOKS if any(f.row(arm) for f in summary.families)],
        arm_words=_arm_words(summary.families),
        has_stand_in=_has_stand_in(summary.families),
        support=_support(data),
        repeats=_repeats(data),
        manifest=data.manifest,
        others={str(path): manifest.get("git_revision") for path, manifest in data.others.items()},
        runs=[str(path) for path in (data.path, *data.others)],
        unlike=data.unlike,
        config=json.dumps(data.config, indent=1, ensure_ascii=False),
    )


def _section(data: RunData, summary: FamilySummary, prefix: str) -> Section:
    cells = data.of(summary.name)
    plots = {}
    curves, shift = learning_curves(cells), shift_curves(cells)
    if curves:
        plots["learning"] = learning_plot(curves, summary, f"{prefix}-learning")
    if shift:
        plots["shift"] = shift_plot(shift, f"{prefix}-shift")
    if graded := severity_points(cells):
        axis = "severity of the stand-in's failings†"
        plots["severity"] = sweep_plot(graded, summary, "interactive", axis, f"{prefix}-severity")
    if sizes := log_size_points(cells):
        ticks = {size: f"{size:,.0f}" for size, _, _ in sizes}
        axis = "dialogues that the user was aligned on"
        plots["logs"] = sweep_plot(sizes, summary, "calibrated", axis, f"{prefix}-logs", ticks=ticks)
    return Section(
        summary=summary,
        users=users_table(cells),
        agent_user=agent_user_table(cells, [row.arm for row in summary.arms]),
        transcripts=next((cell.transcripts for cell in cells if cell.transcripts), None),
        plots=plots,
        smoothing=smoothing_window(max((len(s) for seeds in curves.values() for s in seeds), default=1)),
        shift=shift,
        rises=late_rises(curves),
        people_heard=people_heard(cells),
        sources=shift_sources(cells),
        detectable=detectable_shift(cells),
        from_base=from_base(cells),
        interactivity_judge=next((c.interactivity.judge for c in cells if c.interactivity is not None), ""),
    )


def _ran(data: RunData) -> list[tuple[str, str]]:
    """What was run, as (figure, words)."""
    families, planned = data.families, {cell.seed for cell in data.cells}
    seeds = {cell.seed for cell in data.cells if cell.arms}
    words = "seed" if len(seeds) == 1 else "seeds"
    if len(seeds) < len(planned):
        words = f"of {len(planned)} seeds"
    arms = data.config.get("arms") or {arm for cell in data.cells for arm in cell.arms}
    facts = [
        (str(len(families)), f"{'task' if len(families) == 1 else 'tasks'} ({', '.join(families)})"),
        (str(len(seeds)), words),
        (str(len(arms)), "arms"),
    ]
    facts += _planned(data, "rl", "steps", "RL steps per arm")
    facts += _logged(data)
    facts += _planned(data, "judge", "dialogues", "dialogues per judgement")
    return [*facts, *_endpoint(data)]


def _planned(data: RunData, section: str, key: str, what: str) -> list[tuple[str, str]]:
    found = data.config.get(section)
    return [(f"{found[key]:,}", what)] if isinstance(found, dict) and isinstance(found.get(key), int) else []


def _logged(data: RunData) -> list[tuple[str, str]]:
    """The config's number where known users wrote them; of people's, which are as many as there are, what was counted."""
    people = {
        cell.family: palette.is_referee(arm.judge_label) or palette.is_programme(arm.judge_label)
        for cell in data.cells
        for arm in cell.arms.values()
    }
    facts = [] if people and all(people.values()) else _planned(data, "logs", "dialogues", "logged dialogues")
    counts = {cell.fitted_on for cell in data.cells if people.get(cell.family)} - {None}
    if len(counts) == 1:
        facts.append((f"{counts.pop():,}", "dialogues of people behind the models"))
    return facts


def _endpoint(data: RunData) -> list[tuple[str, str]]:
    """What LLMs were asked, and what it cost."""
    facts = []
    for section, spent, what in (
        ("prompted", data.answers, "answers of the prompted LLM"),
        ("interactivity", data.scores, "scores of the judge of interactivity"),
    ):
        if spent is None:
            continue
        found = data.config.get(section)
        prices = found if isinstance(found, dict) else {}
        cost = spent.cost(float(prices.get("price_in") or 0), float(prices.get("price_out") or 0))
        tokens = spent.prompt_tokens + spent.completion_tokens
        parts = [what, f"{tokens:,} tokens"]
        if cost:
            parts.append(f"{cost:,.2f}")
        if spent.cut:
            parts.append(f"{spent.cut:,} cut at the limit of tokens")
        facts.append((f"{spent.answers:,}", ", ".join(parts)))
    return facts


def _support(data: RunData) -> float | None:
    """The share of agents' messages that the aligned user answers; None where it answers all, as in earlier versions."""
    found = data.config.get("support")
    return found.get("quantile") if isinstance(found, dict) else None


def _repeats(data: RunData) -> dict[str, list[int]]:
    """By task and seed, how often an agent may have said a thing before; without tasks where the aligned user never minds."""
    found = {name: [c.repeats for c in data.of(name) if c.repeats is not None] for name in data.families}
    return {name: counts for name, counts in found.items() if counts}


def _arm_words(families: tuple[FamilySummary, ...]) -> dict[str, str]:
    referees = [f.referee for f in families]
    programmes = [f.programme for f in families]
    people = "referee" if all(referees) else "task's programme" if all(programmes) else "real users"
    if len({*referees}) > 1 or len({*programmes}) > 1:
        people = "users who judge"
    prompted = "prompted stand-in†" if _has_stand_in(families) else "prompted LLM"
    return {arm: style.words.format(people=people, prompted=prompted) for arm, style in palette.ARM_LOOKS.items()}


def _has_stand_in(families: tuple[FamilySummary, ...]) -> bool:
    """Whether a programme stood in for a prompted LLM in training; also where no interactive arm was trained yet."""
    users = [row.training_user for f in families for row in f.arms if row.arm == "interactive"]
    return not users or any(palette.is_stand_in(user) for user in users)


def _marked(user: str) -> str:
    """A user in words, with the mark of the note where it is the stand-in."""
    return f"{user}†" if palette.is_stand_in(user) else user


def template(name: str) -> str:
    """The text of a template or style sheet of the package."""
    return resources.files("understudy.report").joinpath("templates", name).read_text(encoding="utf-8")
