"""Plots of a user model's card."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.realism.by_turn import TurnFit
from understudy.report.palette import MUTED, look
from understudy.report.plots.svg import figure, to_svg
from understudy.stats import Interval

_WIDTH, _HEIGHT = 536, 300


def leaving_plot(turns: Sequence[TurnFit], prefix: str) -> str:
    """Stop hazard by turn of held-out people and of the model in the very same contexts, with 95% bands."""
    curves = {
        "people": ([t.people_leave for t in turns], MUTED, "o--"),
        "model": ([t.model_leaves for t in turns], look("calibrated").colour, "P-"),
    }
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        for label, (values, colour, style) in curves.items():
            _band(axes, turns, values, colour)
            axes.plot([t.turn + 1 for t in turns], [v.mean for v in values], style, color=colour, label=label)
        axes.set_ylim(0, None)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("the user's message")
        axes.set_ylabel("share that leaves there")
        axes.grid(axis="y")
        axes.legend(loc="upper left")
        return to_svg(drawn, "How often people and the model leave, by turn", prefix)


def perplexity_plot(turns: Sequence[TurnFit], prefix: str) -> str:
    """Perplexity of held-out people's messages by turn, with 95% bands."""
    colour = look("calibrated").colour
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        _band(axes, turns, [t.perplexity for t in turns], colour)
        axes.plot([t.turn + 1 for t in turns], [t.perplexity.mean for t in turns], "P-", color=colour)
        axes.set_ylim(0, None)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("the user's message")
        axes.set_ylabel("perplexity per token")
        axes.grid(axis="y")
        return to_svg(drawn, "Perplexity of held-out people's messages, by turn", prefix)


def _band(axes, turns: Sequence[TurnFit], values: Sequence[Interval], colour: str) -> None:  # type: ignore[no-untyped-def]
    axes.fill_between(
        [t.turn + 1 for t in turns], [v.low for v in values], [v.high for v in values], color=colour, alpha=0.15
    )
