"""One page about a file of logs."""

from __future__ import annotations

from pathlib import Path

from understudy.logs.describe import MIN_AT_RISK, SIDES, Description, mean, quantile
from understudy.report.page import template
from understudy.report.palette import look
from understudy.report.plots.by_turn import Curve, turns_plot
from understudy.report.plots.logs import lengths_plot, words_plot
from understudy.runs import write_text

_HAZARD = "Share of conversations in which each message of the user is its last"


def build_logs_page(description: Description, name: str, out: Path) -> Path:
    """Write the page, and say where.

    Raises:
        RunError: if it cannot be written.
    """
    write_text(out, _render(description, name))
    return out


def facts_of(description: Description) -> list[tuple[str, str]]:
    """The first things to know, as (figure, words)."""
    facts = [(f"{description.conversations:,}", "conversations")]
    if description.by_person:
        facts.append((f"{len(description.by_person):,}", "known persons"))
    facts.append((f"{mean(description.turns):.1f}", "messages of the user per conversation"))
    facts += [(f"{len(description.vocabulary[side]):,}", f"different words of the {side}") for side in SIDES]
    if description.tool_messages:
        facts.append((f"{description.tool_messages:,}", "answers of tools"))
    return facts


def speakers_of(description: Description) -> list[tuple[str, list[str]]]:
    """A table of both sides: what each row says, and its value for the user and the assistant."""
    rows = [
        ("messages", [f"{description.words[side].total():,}" for side in SIDES]),
        ("says the first word", [_share(description.openers[side], description.conversations) for side in SIDES]),
        ("says the last word", [_share(description.closers[side], description.conversations) for side in SIDES]),
    ]
    for title, share in (("median words", 0.5), ("90% have at most", 0.9), ("longest", 1.0)):
        values = [f"{quantile(w, share):,}" if (w := description.words[side]) else "–" for side in SIDES]
        rows.append((title, values))
    points = description.points
    if points["user"]:
        rows.append(("mean points (0 without a deal)", [f"{mean(points[side]):.2f}" for side in SIDES]))
    if description.deals:
        sums = [sum(value * n for value, n in points[side].items()) for side in SIDES]
        rows.append(("mean points of deals", [f"{total / description.deals:.2f}" for total in sums]))
    return rows


def endings_of(description: Description) -> list[tuple[str, str, str]]:
    """Known endings with their share and number, the commonest first."""
    total = description.endings.total()
    return [(name, _share(n, total), f"{n:,}") for name, n in description.endings.most_common()]


def _share(part: int, whole: int) -> str:
    return f"{part / max(1, whole):.0%}"


def _render(description: Description, name: str) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    hazards = description.stop_hazard()
    curve = Curve(list(hazards.values()), look("calibrated").colour)
    typical = quantile(description.turns, 0.5)
    reward = description.mean_reward
    return (
        Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        .from_string(template("logs.html.j2"))
        .render(
            style=Markup(template("style.css")),
            svg=Markup,  # drawn by our own code, which escapes what it writes
            name=name,
            title=f"Half of the conversations end by the user's {_ordinal(typical)} message",
            facts=facts_of(description),
            sides=SIDES,
            speakers=speakers_of(description),
            endings=endings_of(description),
            reward=None if reward is None else f"{reward:.3f}",
            hazard=turns_plot([curve], "share that it is the last", _HAZARD, "h") if hazards else "",
            turns=lengths_plot(description.turns, "t"),
            words=words_plot(description.words, "w"),
            min_at_risk=MIN_AT_RISK,
        )
    )


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
