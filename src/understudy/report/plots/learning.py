"""Learning curves: one row per family, one column per figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from understudy.report.plots.canvas import ARM_COLOURS, LEFT_ALIGNED, sheet
from understudy.report.words import marked

Curves = Mapping[str, Sequence[Sequence[Mapping[str, Any]]]]
"""By arm, for each seed: the rows of its `metrics.jsonl`."""

COLUMNS = {
    "reward": "reward in training",
    "entropy": "entropy (nats per token)",
    "turns": "agent messages per dialogue",
    "walked_out": "share that the user left",
}


def learning_curves(families: Mapping[str, Curves]) -> str:
    """Thick: mean over seeds, smoothed over up to 5 steps; thin: each seed."""
    with sheet(len(families), len(COLUMNS), 14.6, 2.9 * len(families) + 0.4) as drawn:
        for row, (family, curves) in zip(drawn.axes, families.items(), strict=True):
            for axis, (key, title) in zip(row, COLUMNS.items(), strict=True):
                _panel(axis, curves, key)
                axis.set_title(title, **(LEFT_ALIGNED | {"fontsize": 10, "fontweight": "normal"}))
                axis.set_xlabel("optimiser step", fontsize=9)
            row[0].set_ylabel(family, fontsize=12, fontweight="bold", color="#1f2328")
        handles, labels = drawn.axes[0][0].get_legend_handles_labels()
        drawn.figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), fontsize=11)
        return drawn.svg("Learning curves: reward, entropy, dialogue length and walk-outs over optimiser steps")


def _panel(axis: Any, curves: Curves, key: str) -> None:
    for arm, seeds in curves.items():
        lines = [line for rows in seeds if (line := _line(rows, key))]
        if not lines:
            continue
        colour = ARM_COLOURS[arm]
        for line in lines if len(lines) > 1 else ():
            axis.plot(list(line), list(line.values()), color=colour, linewidth=0.7, alpha=0.35)
        steps = sorted(set.intersection(*(set(line) for line in lines)))
        means = _smooth([float(np.mean([line[step] for line in lines])) for step in steps])
        if len(lines) == 1:
            axis.plot(steps, [lines[0][step] for step in steps], color=colour, linewidth=0.7, alpha=0.35)
        axis.plot(steps, means, color=colour, linewidth=2.2, label=marked(arm))


def _line(rows: Sequence[Mapping[str, Any]], key: str) -> dict[int, float]:
    return {int(row["step"]): float(row[key]) for row in rows if key in row and math.isfinite(row[key])}


def _smooth(values: list[float]) -> list[float]:
    """Running mean of the last steps; short curves stay as they are."""
    window = min(5, max(1, len(values) // 6))
    return [float(np.mean(values[max(0, i - window + 1) : i + 1])) for i in range(len(values))]
