"""The first picture: where every arm ended with the judging users, and what its training had promised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from understudy.report.palette import FAINT, GRID, INK, MUTED, PAPER, look
from understudy.report.plots.svg import figure, limits, to_svg
from understudy.report.summary import ArmRow, FamilySummary
from understudy.report.words import number, percent

_WIDTH, _ROW, _FRAME = 1096, 33, 88


def arms_plot(families: Sequence[FamilySummary], prefix: str) -> str:
    """Two panels per family: reward at tuned decoding with its interval; reward in training against judged reward.

    One family stands in one row; several stand side by side in two rows.
    """
    rows = max(len(f.arms) for f in families)
    panel = rows * _ROW + _FRAME
    single = len(families) == 1
    with figure(_WIDTH, panel if single else 2 * panel) as drawn:
        grid = drawn.subplots(1, 2, squeeze=False) if single else drawn.subplots(2, len(families), squeeze=False)
        for column, family in enumerate(families):
            ended, promised = (grid[0, 0], grid[0, 1]) if single else (grid[0, column], grid[1, column])
            name = "" if single else f"{family.name}: "
            _ended(ended, family, names=single or column == 0)
            _promised(promised, family, names=single or column == 0)
            ended.set_title(f"{name}reward with {_judge(family)}")
            promised.set_title(f"{name}in training, and then")
        drawn.get_layout_engine().set(wspace=0.06, hspace=0.08, w_pad=0.08)
        return to_svg(drawn, _label(families), prefix)


def _judge(family: FamilySummary) -> str:
    return "the referee" if family.referee else "real users"


def _frame(axes: Any, family: FamilySummary, names: bool, top: float, bottom: float) -> None:
    axes.set_xlim(bottom, top)
    axes.set_ylim(len(family.arms) - 0.45, -0.6)
    axes.set_yticks(range(len(family.arms)), [row.arm if names else "" for row in family.arms])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=12.5, pad=6)
    axes.tick_params(axis="x", length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(family.reward_name)


def _ended(axes: Any, family: FamilySummary, *, names: bool) -> None:
    scale = family.reward_max
    estimates = [row.rewards["tuned"] for row in family.arms]
    bottom, top = limits([v for e in estimates for v in (e.mean, e.low, e.high)], scale)
    # Room for the numbers at the right.
    _frame(axes, family, names, top + 0.30 * (top - bottom), bottom)
    for name in ("base", "oracle"):
        row = family.row(name)
        if row is not None:
            axes.axvline(row.rewards["tuned"].mean, color=look(name).colour, linewidth=1, linestyle=(0, (3, 3)), zorder=1)
    for place, (row, estimate) in enumerate(zip(family.arms, estimates, strict=True)):
        style = look(row.arm)
        axes.barh(place, estimate.mean, height=0.5, color=style.colour, alpha=0.22, linewidth=0, zorder=2)
        if estimate.has_interval:
            axes.plot([estimate.low, estimate.high], [place, place], color=style.colour, linewidth=2.4, zorder=3)
        axes.plot(
            [estimate.mean], [place], style.marker, color=style.colour, markersize=8.5, markeredgecolor=PAPER, zorder=4
        )
        end = max(estimate.high, estimate.mean) if estimate.has_interval else estimate.mean
        axes.annotate(
            number(estimate.mean, scale, 2),
            (end, place), (9, 0), textcoords="offset points",
            va="center", ha="left", fontsize=12, color=INK, fontweight="bold",
        )
        if row.recovered is not None and row.recovered.mean == row.recovered.mean:
            axes.annotate(
                percent(row.recovered.mean),
                (1, place), (-2, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                va="center", ha="right", fontsize=12, color=MUTED,
            )
    if any(row.recovered is not None for row in family.arms):
        axes.annotate(
            "recovered", (1, -0.62), (-2, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="bottom", ha="right", fontsize=11, color=MUTED,
        )


def _promised(axes: Any, family: FamilySummary, *, names: bool) -> None:
    pairs = [(row, row.in_training, row.rewards.get("T=1")) for row in family.arms]
    shown = [e for _, *pair in pairs for e in pair if e is not None]
    bottom, top = limits([e.mean for e in shown], family.reward_max)
    _frame(axes, family, names, top + 0.06 * (top - bottom), bottom)
    for place, (row, promised, real) in enumerate(pairs):
        style = look(row.arm)
        if promised is not None and real is not None:
            axes.plot([promised.mean, real.mean], [place, place], color=style.colour, linewidth=3, alpha=0.30, zorder=2)
        if promised is not None:
            axes.plot(
                [promised.mean], [place], "o",
                markerfacecolor=PAPER, markeredgecolor=style.colour, markeredgewidth=2.2, markersize=10, zorder=3,
            )
        if real is not None:
            axes.plot([real.mean], [place], "o", color=style.colour, markersize=10.5, markeredgecolor=PAPER, zorder=4)
        _numbers(axes, place, row, family)
    axes.axvline(bottom, color=GRID, linewidth=0.8)
    from matplotlib.lines import Line2D

    keys = [
        Line2D([], [], marker="o", linestyle="", markerfacecolor=PAPER, markeredgecolor=MUTED, markeredgewidth=2,
               markersize=8, label="in training"),
        Line2D([], [], marker="o", linestyle="", color=MUTED, markersize=8, label=f"with {_judge(family)}"),
    ]  # fmt: skip
    axes.legend(
        handles=keys, loc="lower right", bbox_to_anchor=(1.01, 0.985), ncols=2, handletextpad=0.1, columnspacing=1.0,
        borderpad=0, borderaxespad=0, labelcolor=MUTED, fontsize=11,
    )  # fmt: skip


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
            va="center", ha="left" if side else "right", fontsize=11, color=INK if estimate is real else FAINT,
        )  # fmt: skip


def _label(families: Sequence[FamilySummary]) -> str:
    parts = []
    for f in families:
        arms = ", ".join(f"{row.arm} {number(row.rewards['tuned'].mean, f.reward_max, 2)}" for row in f.arms)
        parts.append(f"{f.name}: {arms}")
    return "Reward at tuned decoding. " + "; ".join(parts)
