"""The shift of an agent, a user and logs as one page: what to do, how far apart they are by turn, and by what words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from understudy.report.page import template
from understudy.report.palette import MUTED, look
from understudy.report.plots.by_turn import Curve, turns_plot
from understudy.results import ShiftReport
from understudy.runs import write_text
from understudy.shift.permutation import DRAWS
from understudy.shift.two_sample import TwoSample
from understudy.stats import Interval

SIDES = {"policy": "agent", "simulator": "user"}
_ADVICE = {
    "train": "train the agent on its own contexts",
    "align": "align the user more",
    "collect": "collect dialogues of this agent with people",
}


def build_shift_page(shift: ShiftReport, out: Path) -> Path:
    """Write the page, and say where.

    Raises:
        RunError: if it cannot be written.
    """
    write_text(out, render(shift))
    return out


def headline(shift: ShiftReport) -> str:
    """What to do, in one line."""
    asked = [_ADVICE[finding.advice] for finding in shift.verdict if finding.advice in _ADVICE]
    if asked:
        sentence = ", ".join(asked[:-1]) + (" and " if len(asked) > 1 else "") + asked[-1]
        return sentence[0].upper() + sentence[1:]
    if any(finding.advice == "cannot tell" for finding in shift.verdict):
        return "These dialogues are too few to tell"
    return "No shift was found"


def rows_of(shift: ShiftReport) -> list[tuple[str, ...]]:
    """What is compared, by turn: turn, dialogues per side, AUC, p-value, bound for all turns together, what would have been
    seen."""
    rows: list[tuple[str, ...]] = []
    null = shift.known.null if shift.known is not None else []
    for points, side in ((shift.policy.points, "agent"), (shift.simulator.points, "user"), (null, "real users")):
        for p in points:
            what = f"{side}, {p.features}"
            found = (f"{p.test.n_a:,}", _auc(p.test), _p_value(p.test), _bound(p.tv_low), f"{p.detectable:.2f}")
            rows.append((what, str(p.turn), *found))
    for name, curve in (("contexts", shift.contexts), ("logs alone", shift.null)):
        for t in curve:
            n = f"{min(t.n_a, t.n_b):,}"
            seen = "" if t.detectable is None else f"{t.detectable:.2f}"
            rows.append((f"{name}, {t.features}", str(t.turn), n, _auc(t), _p_value(t), _bound(t.tv_low), seen))
    return rows


def facts_of(shift: ShiftReport) -> list[tuple[str, str]]:
    """The first things to know, as (figure, words)."""
    facts = [
        (f"{shift.dialogues:,}", "logged dialogues"),
        (f"{shift.persons:,}", "persons"),
        (f"{shift.cpu_seconds:.0f} s", "of processor time to measure"),
    ]
    if shift.failed:
        facts.append((f"{shift.failed:,}", "dialogues could not be finished"))
    if (known := shift.known) is not None:
        for figure, who in ((known.simulated, "this user"), (known.real, "real users")):
            facts.append(
                (f"{figure.mean:.3f}" if known.reward_max <= 2 else f"{figure.mean:.1f}", f"reward with {who}")
            )
    return facts


def _auc(test: TwoSample) -> str:
    return f"{test.auc:.2f} [{test.low:.2f}, {test.high:.2f}]"


def _p_value(test: TwoSample) -> str:
    if test.p_value is None:
        return "–"
    return f"≤ {test.p_value:.3f}" if test.p_value <= 1 / (DRAWS + 1) else f"{test.p_value:.3f}"


def _bound(low: float) -> str:
    return f"{low:.2f}" if low > 0 else "–"


def render(shift: ShiftReport) -> str:
    """The page as HTML."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template("shift.html.j2")).render(
        style=Markup(template("style.css")),
        svg=Markup,  # drawn by our own code, which escapes what it writes
        title=headline(shift),
        facts=facts_of(shift),
        shift=shift,
        sides={"agent": shift.policy, "user": shift.simulator},
        rows=rows_of(shift),
        steps=_steps_plot(shift),
        contexts=_contexts_plot(shift),
    )


def _steps_plot(shift: ShiftReport) -> str:
    """The features that tell most at each turn."""
    curves = [
        Curve(_sharpest([point.test for point in side.points]), look(arm).colour, style, words)
        for side, arm, style, words in (
            (shift.policy, "static", "s-", "agent against the logs'"),
            (shift.simulator, "calibrated", "P-", "user against people"),
        )
        if side.points
    ]
    label = "How surely messages are told from logged ones in the same contexts, by turn"
    return turns_plot(curves, "AUC", label, "s", axis="turn of each side", first=0, bottom=0.4) if curves else ""


def _sharpest(tests: Sequence[TwoSample]) -> list[Interval]:
    by_turn: dict[int, TwoSample] = {}
    for test in tests:
        if test.turn not in by_turn or test.auc > by_turn[test.turn].auc:
            by_turn[test.turn] = test
    return [Interval(t.auc, t.low, t.high, t.n_a) for _, t in sorted(by_turn.items())]


def _contexts_plot(shift: ShiftReport) -> str:
    """As `_steps_plot`."""
    curves = [Curve(_sharpest(shift.contexts), look("interactive").colour, "o-", "against the logs")]
    if shift.known is not None and shift.known.contexts:
        words = "against those with real users"
        curves.append(Curve(_sharpest(shift.known.contexts), look("calibrated").colour, "P-", words))
    if shift.null:
        curves.append(Curve(_sharpest(shift.null), MUTED, "--", "null (logs in two halves)"))
    if not shift.contexts:
        return ""
    label = "How surely contexts are told from those of the logs, by turn"
    return turns_plot(curves, "AUC", label, "c", axis="agent's turn", first=0, bottom=0.4)
