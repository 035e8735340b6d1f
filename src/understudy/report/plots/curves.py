"""Curves over steps, turns, severity and log size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from understudy.report.estimate import Estimate
from understudy.report.palette import FAINT, MUTED, NULL_COLOUR, PAPER, look
from understudy.report.plots.svg import figure, limits, to_svg
from understudy.report.summary import FamilySummary

_WIDTH, _HEIGHT = 536, 330


def learning_plot(curves: Mapping[str, Sequence[Sequence[float]]], family: FamilySummary, prefix: str) -> str:
    """Reward in training over steps, one arm one colour: seeds thin, their smoothed mean thick.

    At the right edge stands each arm's reward with the judging users at T=1.

    Args:
        curves: by arm, one sequence of rewards per seed.
    """
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        last = max(len(seed) for seeds in curves.values() for seed in seeds)
        values = [v for seeds in curves.values() for seed in seeds for v in seed]
        ends = []
        for arm, seeds in curves.items():
            style = look(arm)
            for seed in seeds:
                axes.plot(range(len(seed)), seed, color=style.colour, linewidth=0.8, alpha=0.25)
            mean = _smooth(_mean_over(seeds))
            axes.plot(range(len(mean)), mean, color=style.colour, linewidth=2.4)
            row = family.row(arm)
            if row is not None and "T=1" in row.rewards:
                ends.append((row.rewards["T=1"].mean, arm))
                axes.plot([1.035 * last], [ends[-1][0]], style.marker, color=style.colour, markersize=8, clip_on=False)
        bottom, top = limits([*values, *(value for value, _ in ends)], family.reward_max)
        axes.set_ylim(bottom, top)
        axes.set_xlim(0, 1.06 * last)
        axes.axvline(1.0 * last, color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
        for y, (_, arm) in zip(_apart([v for v, _ in ends], 0.062 * (top - bottom)), ends, strict=True):
            axes.annotate(
                arm, (1.06 * last, y), (5, 0), textcoords="offset points",
                va="center", color=look(arm).colour, fontsize=11.5, fontweight="bold", annotation_clip=False,
            )  # fmt: skip
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("optimiser step")
        axes.set_ylabel(f"{family.reward_name} in training")
        axes.grid(axis="y")
        return to_svg(drawn, f"Learning curves of {', '.join(curves)}", prefix)


def shift_plot(curves: Mapping[str, Mapping[int, Estimate]], prefix: str) -> str:
    """AUC by turn, one arm one colour, with bands; `null` (real against real) is grey and dashed.

    Args:
        curves: by arm or `null`, the AUC by turn.
    """
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        axes.axhline(0.5, color=FAINT, linewidth=0.8)
        ends = []
        for arm, points in curves.items():
            turns = sorted(points)
            means = [points[t].mean for t in turns]
            banded = [t for t in turns if points[t].has_interval]
            colour = NULL_COLOUR if arm == "null" else look(arm).colour
            dash = (0, (4, 3)) if arm == "null" else "-"
            axes.fill_between(
                banded, [points[t].low for t in banded], [points[t].high for t in banded],
                color=colour, alpha=0.13, linewidth=0,
            )  # fmt: skip
            marker = "" if arm == "null" else look(arm).marker
            axes.plot(turns, means, linestyle=dash, color=colour, marker=marker, markersize=6.5, markeredgecolor=PAPER)
            if turns:
                ends.append((turns[-1], means[-1], arm, colour))
        longest = max((turn for turn, *_ in ends), default=0)
        lows = [e.low if e.has_interval else e.mean for points in curves.values() for e in points.values()]
        bottom = min(0.44, *lows) - 0.01 if lows else 0.44
        axes.set_ylim(bottom, 1.03)
        axes.set_xlim(-0.1, longest + 0.15)
        for y, (turn, _, arm, colour) in zip(_apart([e[1] for e in ends], 0.062 * (1.03 - bottom)), ends, strict=True):
            axes.annotate(
                arm if turn == longest else f"{arm} (to turn {turn})", (longest + 0.15, y), (5, 0),
                textcoords="offset points", va="center", color=colour, fontsize=11.5, fontweight="bold",
                annotation_clip=False,
            )  # fmt: skip
        axes.set_xticks(range(longest + 1))
        axes.set_xlabel("agent's turn")
        axes.set_ylabel("AUC: training against judged contexts")
        axes.grid(axis="y")
        return to_svg(drawn, f"Context shift by turn of {', '.join(curves)}", prefix)


def sweep_plot(
    points: Sequence[tuple[float, Estimate | None, Estimate | None]],
    family: FamilySummary,
    arm: str,
    axis: str,
    prefix: str,
    *,
    ticks: Mapping[float, str] | None = None,
) -> str:
    """Reward in training (rings) and with the judging users (filled) over what was varied, with base and oracle.

    Args:
        points: (place on the x axis, reward in training, judged reward), in order.
        ticks: words for places on a logarithmic x axis; a linear axis where None.
    """
    colour = look(arm).colour
    with figure(_WIDTH, _HEIGHT) as drawn:
        axes = drawn.subplots()
        if ticks is not None:
            axes.set_xscale("log")
            axes.minorticks_off()
            axes.set_xticks(list(ticks), list(ticks.values()))
        shown: list[float] = []
        for name in ("base", "oracle"):
            row = family.row(name)
            if row is not None:
                value = row.rewards["T=1"].mean
                shown.append(value)
                axes.axhline(value, color=look(name).colour, linewidth=1.2, linestyle=(0, (3, 3)))
                axes.annotate(
                    name, (1, value), (5, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                    va="center", color=look(name).colour, fontsize=11.5, fontweight="bold",
                )  # fmt: skip
        promised = [(x, e) for x, e, _ in points if e is not None]
        real = [(x, e) for x, _, e in points if e is not None]
        judge = "the referee" if family.referee else "real users"
        for series, words, filled in ((promised, "in training", False), (real, f"with {judge}", True)):
            _series(axes, series, words, colour, filled)
            shown += [v for _, e in series for v in ((e.low, e.high) if e.has_interval else (e.mean,))]
        axes.set_ylim(*limits(shown, family.reward_max))
        axes.set_xlabel(axis)
        axes.set_ylabel(f"{family.reward_name} at T=1")
        axes.grid(axis="y")
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderpad=0, labelcolor=MUTED, handlelength=1.6,
            columnspacing=1.4,
        )  # fmt: skip
        return to_svg(drawn, f"{arm}: reward over {axis}", prefix)


def _series(axes: Any, series: Sequence[tuple[float, Estimate]], words: str, colour: str, filled: bool) -> None:
    xs, ys = [x for x, _ in series], [e.mean for _, e in series]
    axes.plot(
        xs, ys, linestyle="-" if filled else (0, (4, 3)), color=colour, marker="o", markersize=8, label=words,
        markerfacecolor=colour if filled else PAPER, markeredgecolor=colour, markeredgewidth=1.8, zorder=4 - (not filled),
    )  # fmt: skip
    for x, e in series:
        if e.has_interval:
            axes.plot([x, x], [e.low, e.high], color=colour, linewidth=1.8, zorder=2)


def _mean_over(seeds: Sequence[Sequence[float]]) -> list[float]:
    """Mean at every step that all seeds have reached, so that a seed that stopped does not bend the curve."""
    shortest = min(len(seed) for seed in seeds)
    return [_finite_mean([seed[step] for seed in seeds]) for step in range(shortest)]


def _finite_mean(values: Sequence[float]) -> float:
    finite = [v for v in values if math.isfinite(v)]
    return sum(finite) / len(finite) if finite else math.nan


def smoothing_window(steps: int) -> int:
    """Steps over which the thick line is averaged: a twentieth of the run, at least 1."""
    return max(1, round(steps / 20))


def _smooth(values: Sequence[float]) -> list[float]:
    half = smoothing_window(len(values)) // 2
    return [_finite_mean(values[max(0, i - half) : i + half + 1]) for i in range(len(values))]


def _apart(values: Sequence[float], gap: float) -> list[float]:
    """Places for labels near these values, at least `gap` apart: neighbours that would touch share the push."""
    order = np.argsort(values, kind="stable")
    places = np.asarray(values, dtype=float)[order]
    for _ in range(100):
        short = gap - np.diff(places)
        touching = short > 1e-9
        if not touching.any():
            break
        push = np.where(touching, short / 2, 0.0)
        places[:-1] -= push
        places[1:] += push
    result = np.empty_like(places)
    result[order] = places
    return [float(place) for place in result]
