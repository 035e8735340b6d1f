"""Figures per step as JSON lines: appended as they come, read back after a kill, cut back to a checkpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from understudy.errors import RunError
from understudy.runs.atomic import disk_errors, plain, write_text


class MetricsLog:
    """One JSON object per line, each with a `step`. A figure that is not finite is written as null, and read as NaN."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mended = False

    def append(self, figures: Mapping[str, Any]) -> None:
        """Add one line; it is out of this process when the call returns.

        Raises:
            ValueError: if there is no `step`.
            RunError: if the disk is full or the place cannot be written.
        """
        if "step" not in figures:
            raise ValueError(f"figures need a `step`, but have {', '.join(figures)}")
        line = json.dumps(plain(figures), ensure_ascii=False, allow_nan=False) + "\n"
        if not self._mended:
            self._mend()
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                file.write(line.encode())

    def read(self) -> list[dict[str, Any]]:
        """All lines in order; a last line that a kill cut short is left out, a missing file is empty.

        Raises:
            RunError: if another line is damaged, naming it.
        """
        if not self.path.exists():
            return []
        rows: list[dict[str, Any]] = []
        # A line is whole once its newline is there; what follows the last newline was cut short.
        for number, line in enumerate(self.path.read_bytes().split(b"\n")[:-1], start=1):
            try:
                row = json.loads(line)
                rows.append({key: math.nan if value is None else value for key, value in row.items()})
            except (ValueError, AttributeError) as error:
                raise RunError(
                    f"is not a JSON object: {line[:60].decode(errors='replace')!r}",
                    where=f"{self.path}, line {number}",
                    fix="the file was changed or damaged: delete this line, or the folder that holds it, and --resume",
                ) from error
        return rows

    def truncate_from(self, step: int) -> None:
        """Remove the lines of `step` and later ones: a run that goes on from a checkpoint writes them again."""
        rows = self.read()
        kept = [row for row in rows if row["step"] < step]
        self._mended = True
        if self.path.exists():
            write_text(self.path, "".join(json.dumps(plain(row), ensure_ascii=False) + "\n" for row in kept))

    def _mend(self) -> None:
        """Cut off a last line without its newline, so that the next line does not run on from it."""
        if self.path.exists():
            data = self.path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole != len(data):
                write_text(self.path, data[:whole].decode())
        self._mended = True
