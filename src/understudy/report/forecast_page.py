"""A forecast as one page: what the agent will earn, what simulation alone says, which replies make the difference."""

from __future__ import annotations

from pathlib import Path

from understudy.report.page import template
from understudy.report.palette import INK, Look, look
from understudy.report.plots.by_turn import Curve, turns_plot
from understudy.report.plots.whiskers import Whisker, whiskers_plot
from understudy.report.words import number, signed
from understudy.results import Figure, ForecastReport
from understudy.runs import write_text
from understudy.stats import Interval


def build_forecast_page(forecast: ForecastReport, out: Path) -> Path:
    """Write the page, and say where.

    Raises:
        RunError: if it cannot be written.
    """
    write_text(out, render(forecast))
    return out


def headline(forecast: ForecastReport) -> str:
    """The forecast in one line."""
    f = forecast.foretold
    shown = [number(value, f.reward_max) for value in (f.mean, f.low, f.high)]
    return f"With real users: {forecast.reward_name} {shown[0]} ({shown[1]} to {shown[2]} at {f.level:.0%})"


def facts_of(forecast: ForecastReport) -> list[tuple[str, str]]:
    """What the forecast rests on, as (figure, words)."""
    top = forecast.foretold.reward_max
    facts = [
        (number(forecast.simulated.mean, top), "in simulation alone"),
        (number(forecast.logged.mean, top), "earned by the agent of the logs"),
        (f"{forecast.dialogues:,}", "logged dialogues"),
        (f"{sum(e.replies for e in forecast.foretold.effects):,}", "replies taken up"),
        (f"{forecast.cpu_seconds:.0f} s", "of processor time to foretell"),
    ]
    if forecast.real is not None:
        facts.insert(0, (number(forecast.real.mean, top), "with real users, in truth"))
    if forecast.failed:
        facts.append((f"{forecast.failed:,}", "dialogues could not be finished"))
    return facts


def rows_of(forecast: ForecastReport) -> list[tuple[str, ...]]:
    """By the user's turn: share of dialogues that reach it (with people, simulated), logged replies, effect, its two standard
    deviations, share of the contexts that the logs cover."""
    top = forecast.foretold.reward_max
    rows: list[tuple[str, ...]] = [
        (
            str(e.turn),
            f"{e.reached:.0%}",
            f"{e.reached_simulated:.0%}",
            f"{e.replies:,}",
            signed(e.difference, top),
            number(e.noise, top),
            number(e.extrapolation, top),
            f"{e.covered:.0%}",
        )
        for e in forecast.foretold.effects
    ]
    if forecast.foretold.unseen_from is not None:
        rows.append((f"{forecast.foretold.unseen_from} on", "", "", "too few", "any", "", "", "0%"))
    return rows


def render(forecast: ForecastReport) -> str:
    """The page as HTML."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template("forecast.html.j2")).render(
        style=Markup(template("style.css")),
        title=headline(forecast),
        facts=facts_of(forecast),
        forecast=forecast,
        rows=rows_of(forecast),
        rewards=Markup(_rewards_plot(forecast)),  # drawn by our own code, which escapes what it writes
        effects=Markup(_effects_plot(forecast)),
        reached=Markup(_reached_plot(forecast)),
    )


def _rewards_plot(forecast: ForecastReport) -> str:
    f = forecast.foretold
    calibrated, naive, truth = look("calibrated"), look("interactive"), look("oracle")
    rows = [
        Whisker(f"forecast ({f.level:.0%})", f.mean, f.low, f.high, calibrated.colour, calibrated.marker),
        _whisker("in simulation alone", forecast.simulated, naive),
        _whisker("agent of the logs", forecast.logged, look("base")),
    ]
    if forecast.real is not None:
        rows.append(_whisker("in truth", forecast.real, truth))
    label = "Reward: the forecast with its interval, and beside it what simulation alone says"
    return whiskers_plot(rows, forecast.reward_name, f.reward_max, label, "r")


def _whisker(name: str, figure: Figure, like: Look) -> Whisker:
    return Whisker(name, figure.mean, figure.low, figure.high, like.colour, like.marker)


def _effects_plot(forecast: ForecastReport) -> str:
    effects = forecast.foretold.effects
    if not effects:
        return ""
    spread = [2 * (e.noise**2 + e.extrapolation**2) ** 0.5 for e in effects]
    values = [
        Interval(e.difference, e.difference - s, e.difference + s, e.replies)
        for e, s in zip(effects, spread, strict=True)
    ]
    label = "Reward after people's replies less reward after the simulated user's, by the user's turn"
    bottom = min(0.0, *(v.low for v in values)) * 1.05
    return turns_plot(
        [Curve(values, INK, "o-")], forecast.reward_name, label, "e", axis="user's turn", first=0, bottom=bottom
    )


def _reached_plot(forecast: ForecastReport) -> str:
    effects = forecast.foretold.effects
    if not effects:
        return ""
    curves = [
        Curve([Interval(v, v, v, 1) for v in values], look(arm).colour, style, words)
        for values, arm, style, words in (
            ([e.reached for e in effects], "calibrated", "P-", "people (foretold)"),
            ([e.reached_simulated for e in effects], "interactive", "D-", "simulated"),
            ([e.covered for e in effects], "static", "s--", "covered by logs"),
        )
    ]
    return turns_plot(curves, "share", "Share of dialogues that reach a turn, and of contexts that the logs cover", "d",
                      axis="user's turn", first=0)  # fmt: skip
