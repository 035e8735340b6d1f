"""The first picture: where every arm ended with the judging users, and what its training had promised."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from understudy.report.palette import INK, MUTED, PAPER, look
from understudy.report.plots.svg import figure, limits, to_svg
from understudy.report.summary import ArmRow, FamilySummary
from understudy.report.words import number, percent

_ROW, _FRAME, _HALF, _WHOLE = 33, 62, 536, 1096
# Room right of the longest bar for its number and the recovered share, as a part of the bar's length.
_ROOM = {1: 0.34, 2: 0.36, 3: 0.46, 4: 0.56}
# Numbers stay legible where they stand on the line of base or oracle.
_BEHIND = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.2, "alpha": 0.85}


def ended_plot(families: Sequence[FamilySummary], prefix: str) -> str:
    """Reward with the judging users at tuned decoding, with its interval; one panel per family, at most four."""
    with _panels(families) as (drawn, panels):
        for column, (axes, family) in enumerate(zip(panels, families, strict=True)):
            _ended(axes, family, names=column == 0, room=_ROOM[len(families)])
        return to_svg(drawn, _label(families), prefix)


def promised_plot(families: Sequence[FamilySummary], prefix: str) -> str:
    """Reward in training (ring) against the same agent's reward with the judging users (filled), both at T=1."""
    with _panels(families) as (drawn, panels):
        for column, (axes, family) in enumerate(zip(panels, families, strict=True)):
            _promised(axes, family, names=column == 0)
        return to_svg(drawn, "Reward in training and with the judging users by arm, sampled at T=1", prefix)


@contextmanager
def _panels(families: Sequence[FamilySummary]) -> Iterator[tuple[Any, Sequence[Any]]]:
    """One panel per family; a single family gets half the page's width and no title."""
    height = max(len(f.arms) for f in families) * _ROW + _FRAME
    single = len(families) == 1
    with figure(_HALF if single else _WHOLE, height if single else height + 26) as drawn:
        panels = drawn.subplots(1, len(families), squeeze=False)[0]
        for axes, family in zip(panels, families, strict=True):
            if not single:
                axes.set_title(f"{family.name} (referee)" if family.referee else family.name)
        yield drawn, panels


def _frame(axes: Any, family: FamilySummary, names: bool, top: float, bottom: float) -> None:
    axes.set_xlim(bottom, top)
    axes.set_ylim(len(family.arms) - 0.45, -0.95)
    axes.set_yticks(range(len(family.arms)), [row.arm if names else "" for row in family.arms])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=12.5, pad=6)
    axes.tick_params(axis="x", length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(family.reward_name)
    # Rewards start at 0; what is shown beyond the scale is room for numbers.
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= family.reward_max * 1.001])


def _ended(axes: Any, family: FamilySummary, *, names: bool, room: float) -> None:
    scale = family.reward_max
    estimates = [row.rewards["tuned"] for row in family.arms]
    bottom, top = limits([v for e in estimates for v in (e.mean, e.low, e.high)], scale)
    # Room for the numbers at the right.
    _frame(axes, family, names, top + room * (top - bottom), bottom)
    for name in ("base", "oracle"):
        row = family.row(name)
        if row is not None:
            axes.axvline(
                row.rewards["tuned"].mean, color=look(name).colour, linewidth=1, linestyle=(0, (3, 3)), zorder=1
            )
    for place, (row, estimate) in enumerate(zip(family.arms, estimates, strict=True)):
        style = look(row.arm)
        axes.barh(place, estimate.mean, height=0.5, color=style.colour, alpha=0.22, linewidth=0, zorder=2)
        if estimate.has_interval:
            axes.plot([estimate.low, estimate.high], [place, place], color=style.colour, linewidth=2.4, zorder=3)
        axes.plot(
            [estimate.mean],
            [place],
            style.marker,
            color=style.colour,
            markersize=8.5,
            markeredgecolor=PAPER,
            markeredgewidth=0.6,
            zorder=4,
        )
        end = max(estimate.high, estimate.mean) if estimate.has_interval else estimate.mean
        axes.annotate(
            number(estimate.mean, scale, 2),
            (end, place),
            (9, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            fontsize=12,
            color=INK,
            fontweight="bold",
            bbox=_BEHIND,
        )
        share = row.recovered.get("tuned")
        if share is not None and math.isfinite(share.mean):
            axes.annotate(
                percent(share.mean),
                (1, place),
                (-2, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                ha="right",
                fontsize=12,
                color=MUTED,
            )
    if any(row.recovered for row in family.arms):
        axes.annotate(
            "recovered",
            (1, -0.66),
            (-2, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="bottom",
            ha="right",
            fontsize=11,
            color=MUTED,
        )


def _promised(axes: Any, family: FamilySummary, *, names: bool) -> None:
    pairs = [(row, row.in_training, row.rewards.get("T=1")) for row in family.arms]
    shown = [e for _, *pair in pairs for e in pair if e is not None]
    bottom, top = limits([e.mean for e in shown], family.reward_max)
    _frame(axes, family, names, top + 0.14 * (top - bottom), bottom - 0.14 * (top - bottom))
    for place, (row, promised, real) in enumerate(pairs):
        style = look(row.arm)
        if promised is not None and real is not None:
            axes.plot([promised.mean, real.mean], [place, place], color=style.colour, linewidth=3, alpha=0.30, zorder=2)
        if promised is not None:
            axes.plot(
                [promised.mean],
                [place],
                "o",
                markerfacecolor=PAPER,
                markeredgecolor=style.colour,
                markeredgewidth=2.2,
                markersize=10,
                zorder=3,
            )
        if real is not None:
            axes.plot([real.mean], [place], "o", color=style.colour, markersize=10.5, markeredgecolor=PAPER, zorder=4)
        _numbers(axes, place, row, family)


def _numbers(axes: Any, place: int, row: ArmRow, family: FamilySummary) -> None:
    """The two rewards of the widest gap are worth reading off: those of arms that talked with somebody."""
    real, promised = row.rewards.get("T=1"), row.in_training
    if real is None or promised is None or row.training_user is None:
        return
    right = promised.mean > real.mean
    for estimate, side in ((promised, right), (real, not right)):
        axes.annotate(
            number(estimate.mean, family.reward_max, 2),
            (estimate.mean, place), (9 if side else -9, 0), textcoords="offset points",
            va="center", ha="left" if side else "right", fontsize=11, color=INK if estimate is real else MUTED,
        )  # fmt: skip


def _label(families: Sequence[FamilySummary]) -> str:
    parts = []
    for f in families:
        arms = ", ".join(f"{row.arm} {number(row.rewards['tuned'].mean, f.reward_max, 2)}" for row in f.arms)
        parts.append(f"{f.name}: {arms}")
    return "Reward at tuned decoding. " + "; ".join(parts)
