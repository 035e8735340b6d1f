"""The card of a user model as one page: how far it is from people whom it never saw."""

from __future__ import annotations

from pathlib import Path

from understudy.realism.card import TurnFit, UserCard
from understudy.report.page import template
from understudy.report.palette import MUTED, look
from understudy.report.plots.by_turn import Curve, turns_plot
from understudy.runs import write_text
from understudy.stats import Interval


def build_card_page(card: UserCard, out: Path) -> Path:
    """Write the page, and say where.

    Raises:
        RunError: if it cannot be written.
    """
    write_text(out, render(card))
    return out


def facts_of(card: UserCard) -> list[tuple[str, str]]:
    """The first things to know, as (figure, words)."""
    facts = [
        (f"{card.conversations:,}", "conversations fitted on"),
        (f"{card.held_out:,}", "held out"),
        (f"{card.parameters / 1e6:.2f}M", "parameters"),
        (f"{card.steps:,}", "steps"),
        (f"{card.perplexity:.1f}", "perplexity per token"),
        (f"{card.unigram:.1f}", "of token frequencies alone"),
        (f"{card.bits_per_character:.2f}", "bits per character"),
    ]
    if card.cut:
        facts.append((f"{card.cut:,}", "cut to the model's context"))
    if card.dropped:
        facts.append((f"{card.dropped:,}", "too long, left out"))
    return facts


def rows_of(card: UserCard) -> list[tuple[str, str, str, str, str]]:
    """By turn: the turn, dialogues, perplexity, share of people who leave, of the model."""
    return [
        (
            str(turn.turn + 1),
            f"{turn.dialogues:,}",
            _with_interval(turn.perplexity, "{:.1f}"),
            _with_interval(turn.people_leave, "{:.0%}"),
            _with_interval(turn.model_leaves, "{:.0%}"),
        )
        for turn in card.turns
    ]


def verdict(turns: list[TurnFit]) -> str:
    """In words, whether the model leaves when people do."""
    apart = [t for t in turns if t.model_leaves.high < t.people_leave.low or t.model_leaves.low > t.people_leave.high]
    if not turns:
        return "Too few held-out conversations to tell anything by turn"
    if not apart:
        return "It leaves about when held-out people do, as far as these conversations can tell"
    often = sum(t.model_leaves.mean > t.people_leave.mean for t in apart)
    where = f"Its leaving differs from people's at {len(apart)} of {len(turns)} turns"
    return f"{where}: {often} too often, {len(apart) - often} too seldom"


def _with_interval(value: Interval, form: str) -> str:
    return f"{form.format(value.mean)} [{form.format(value.low)}, {form.format(value.high)}]"


def render(card: UserCard) -> str:
    """The page as HTML."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template("card.html.j2")).render(
        style=Markup(template("style.css")),
        svg=Markup,  # drawn by our own code, which escapes what it writes
        title=verdict(card.turns),
        facts=facts_of(card),
        rows=rows_of(card),
        leaving=_leaving(card.turns) if card.turns else "",
        perplexity=_perplexity(card.turns) if card.turns else "",
    )


def _leaving(turns: list[TurnFit]) -> str:
    people = Curve([t.people_leave for t in turns], MUTED, "o--", "people")
    model = Curve([t.model_leaves for t in turns], look("calibrated").colour, "P-", "model")
    return turns_plot([people, model], "share that leaves there", "How often people and the model leave, by turn", "l")


def _perplexity(turns: list[TurnFit]) -> str:
    curve = Curve([t.perplexity for t in turns], look("calibrated").colour, "P-")
    return turns_plot([curve], "perplexity per token", "Perplexity of held-out people's messages, by turn", "p")
