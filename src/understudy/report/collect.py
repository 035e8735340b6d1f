"""Read a run folder, finished or not: every result that is there, and in words what is not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from understudy.config import ARMS
from understudy.errors import RunError
from understudy.results import ArmResult, Record, ShiftResult, TranscriptsResult, UsersResult
from understudy.runs import MetricsLog, RunFolder

TRAINED = ("static", "interactive", "calibrated", "oracle")
"""Arms that are trained by RL, and so have learning curves."""

_SEVERITY, _LOG_SIZE = "judge-interactive-severity-", "judge-calibrated-logs-"
_AGAIN = "delete this file's folder and go on with the same command and --resume"

R = TypeVar("R", bound=Record)


@dataclass
class CellFiles:
    """What one family and seed left behind; what is not finished is empty or None.

    Attributes:
        arms: results by arm, in the order of `ARMS`.
        severities: the interactive arm by the stand-in's severity; 1 is the interactive arm itself.
        log_sizes: the calibrated arm by the number of dialogues its user was aligned on; the arm itself is one of them.
        curves: rows of `metrics.jsonl` by trained arm.
    """

    family: str
    seed: int
    arms: dict[str, ArmResult] = field(default_factory=dict)
    severities: dict[float, ArmResult] = field(default_factory=dict)
    log_sizes: dict[int, ArmResult] = field(default_factory=dict)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    shift: ShiftResult | None = None
    users: UsersResult | None = None
    transcripts: TranscriptsResult | None = None

    @property
    def empty(self) -> bool:
        return not (self.arms or self.curves or self.shift or self.users or self.transcripts)


@dataclass
class RunFiles:
    """A run's manifest, its cells by family and seed, and what it set out to do."""

    path: Path
    manifest: Mapping[str, Any]
    families: tuple[str, ...]
    seeds: tuple[int, ...]
    arms: tuple[str, ...]
    cells: dict[tuple[str, int], CellFiles]

    def of(self, family: str) -> list[CellFiles]:
        """The family's cells that have any result, by seed."""
        return [cell for (name, _), cell in sorted(self.cells.items()) if name == family and not cell.empty]

    def missing(self, family: str) -> list[str]:
        """One line for each thing that was planned and is not finished."""
        total, lines = len(self.seeds), []
        cells = [self.cells[family, seed] for seed in self.seeds]
        done = sum(all(arm in cell.arms for arm in self.arms) for cell in cells)
        if done < total:
            lines.append(f"{done} of {total} seeds finished")
        for arm in self.arms:
            if (found := sum(arm in cell.arms for cell in cells)) < total:
                lines.append(f"arm {arm}: judged on {found} of {total} seeds")
        parts = {
            "context shift": [cell.shift for cell in cells],
            "users": [cell.users for cell in cells],
            "transcripts": [cell.transcripts for cell in cells],
        }
        for name, found_parts in parts.items():
            if (found := sum(part is not None for part in found_parts)) < total:
                lines.append(f"{name}: {found} of {total} seeds")
        return lines


def collect(run: Path) -> RunFiles:
    """Everything that the run has finished.

    Raises:
        RunError: if this is no run folder, a result is damaged, or nothing is finished yet.
    """
    folder = RunFolder.open(run)
    config = folder.manifest["config"]
    families = tuple(config.get("families") or ())
    seeds = tuple(config.get("seeds") or ())
    arms = tuple(arm for arm in ARMS if arm in (config.get("arms") or ARMS))
    cells = {(family, seed): _cell(folder, family, seed) for family in families for seed in seeds}
    if all(cell.empty for cell in cells.values()):
        raise RunError(
            "holds no finished result yet", where=str(run), fix="go on with the command that started it, and --resume"
        )
    return RunFiles(folder.path, folder.manifest, families, seeds, arms, cells)


def _cell(folder: RunFolder, family: str, seed: int) -> CellFiles:
    root = folder.stage(f"{family}/seed{seed}")
    cell = CellFiles(family, seed)
    for arm in ARMS:
        if (result := _read(root / f"judge-{arm}", ArmResult)) is not None:
            cell.arms[arm] = result
        if arm in TRAINED and (rows := MetricsLog(root / arm / "metrics.jsonl").read()):
            cell.curves[arm] = rows
    for stage in sorted(root.glob(f"{_SEVERITY}*")):
        if (result := _read(stage, ArmResult)) is not None and result.severity is not None:
            cell.severities[result.severity] = result
    if cell.severities and "interactive" in cell.arms:
        cell.severities[1.0] = cell.arms["interactive"]
    for stage in sorted(root.glob(f"{_LOG_SIZE}*")):
        if (result := _read(stage, ArmResult)) is not None and result.log_size is not None:
            cell.log_sizes[result.log_size] = result
    if cell.log_sizes and "calibrated" in cell.arms and (size := _aligned_on(root)) is not None:
        cell.log_sizes[size] = cell.arms["calibrated"]
    cell.shift = _read(root / "shift", ShiftResult)
    cell.users = _read(root / "users", UsersResult)
    cell.transcripts = _read(root / "transcripts", TranscriptsResult)
    return cell


def _aligned_on(root: Path) -> int | None:
    """Dialogues of the whole alignment part."""
    path = root / "logs" / "summary.json"
    size = _json(path).get("align") if path.exists() else None
    return int(size) if size is not None else None


def _read(stage: Path, record: type[R]) -> R | None:
    path = stage / "result.json"
    if not path.exists():
        return None
    value = _json(path)
    try:
        return record.from_json(value)
    except ValidationError as error:
        # Files hold null for a figure that is not finite (the interval of a single dialogue, for example).
        nulls = [e["loc"] for e in error.errors() if e["type"] == "float_type" and e["input"] is None]
        for place in nulls:
            _set_nan(value, place)
        try:
            return record.from_json(value)
        except ValidationError as again:
            first = again.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise RunError(f"is not a result: {key}: {first['msg']}", where=str(path), fix=_AGAIN) from again


def _set_nan(value: Any, place: tuple[int | str, ...]) -> None:
    for part in place[:-1]:
        value = value[part]
    value[place[-1]] = math.nan


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"cannot be read: {error}", where=str(path), fix=_AGAIN) from error
    if not isinstance(value, dict):
        raise RunError("is not a JSON object", where=str(path), fix=_AGAIN)
    return value
