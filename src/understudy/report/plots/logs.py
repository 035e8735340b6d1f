"""Plots of what is in a file of logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.logs.describe import quantile
from understudy.report.palette import look
from understudy.report.plots.svg import figure, to_svg
from understudy.stats import Interval

_WIDTH, _HEIGHT = 536, 300
_SHOWN = 0.99
"""Histograms end at this quantile: a few endless messages would press all else together."""


def hazard_plot(hazards: Mapping[int, Interval], prefix: str) -> str:
    """Stop hazard over the user's turns, with 95% intervals."""
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        turns = list(hazards)
        colour = look("calibrated").colour
        axes.fill_between(
            turns, [h.low for h in hazards.values()], [h.high for h in hazards.values()], color=colour, alpha=0.15
        )
        axes.plot(turns, [h.mean for h in hazards.values()], "o-", color=colour, markersize=5)
        axes.set_ylim(0, None)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("the user's message")
        axes.set_ylabel("share that it is the last")
        axes.grid(axis="y")
        return to_svg(drawn, "Share of conversations in which each message of the user is its last", prefix)


def turns_plot(turns: Mapping[int, int], prefix: str) -> str:
    """Conversations by the number of the user's messages."""
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        _bars(axes, turns, look("calibrated").colour)
        axes.set_xlabel("messages of the user")
        axes.set_ylabel("conversations")
        return to_svg(drawn, "Conversations by the number of the user's messages", prefix)


def words_plot(words: Mapping[str, Mapping[int, int]], prefix: str) -> str:
    """Words per message of each side: what share of messages has at most so many words."""
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        looks = {"user": look("calibrated"), "assistant": look("static")}
        for side, counts in words.items():
            if not counts:
                continue
            total, below, xs, ys = sum(counts.values()), 0, [0.9], [0.0]
            for value in sorted(counts):
                below += counts[value]
                xs.append(max(value, 0.9))
                ys.append(below / total)
            axes.step(xs, ys, where="post", color=looks[side].colour, label=side)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else "")
        axes.xaxis.set_minor_formatter(lambda value, _: "")
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("words of a message")
        axes.set_ylabel("share of messages with at most so many")
        axes.grid(axis="y")
        axes.legend(loc="lower right")
        return to_svg(drawn, "Words per message of both sides", prefix)


def _bars(axes: Any, counts: Mapping[int, int], colour: str) -> None:
    last = quantile(counts, _SHOWN)
    shown = {value: n for value, n in counts.items() if value <= last}
    axes.bar(list(shown), list(shown.values()), width=0.8, color=colour)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y")
