"""What a stage cost: wall and processor seconds, those of attempts that were cut short included."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from understudy.runs import write_json

SAVE_EVERY_SECONDS = 5.0


class CostMeter:
    """Measures one attempt, on top of what `path` says earlier attempts have cost."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._wall_before, self._cpu_before = _earlier(path)
        self._wall_start, self._cpu_start = time.monotonic(), _processor_seconds()
        self._saved = self._wall_start

    def seconds(self) -> tuple[float, float]:
        """Wall seconds, and processor seconds (user and system, all threads and finished children)."""
        wall = time.monotonic() - self._wall_start
        return self._wall_before + wall, self._cpu_before + _processor_seconds() - self._cpu_start

    def save_sometimes(self) -> None:
        """Note the cost so far, so that a kill loses a few seconds of it at most."""
        if time.monotonic() - self._saved >= SAVE_EVERY_SECONDS:
            self.save(self.path)
            self._saved = time.monotonic()

    def save(self, path: Path) -> None:
        wall, cpu = self.seconds()
        write_json(path, {"wall_seconds": round(wall, 3), "cpu_seconds": round(cpu, 3)})


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _earlier(path: Path) -> tuple[float, float]:
    try:
        cost = json.loads(path.read_text())
        return float(cost["wall_seconds"]), float(cost["cpu_seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, 0.0
