"""Plots of what is in a file of logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.logs.describe import quantile
from understudy.report.palette import look
from understudy.report.plots.svg import figure, to_svg

_WIDTH, _HEIGHT = 536, 300
_SHOWN = 0.99
"""Histograms end at this quantile: a few endless messages would press all else together."""


def lengths_plot(turns: Mapping[int, int], prefix: str) -> str:
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
