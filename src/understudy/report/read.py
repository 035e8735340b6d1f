"""Read what a run has written so far. Absent files are listed, damaged ones are refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from understudy.config import LATER_KEYS
from understudy.endpoint.answers import ANSWERS, SCORES, AnswerStore, Spent
from understudy.errors import RunError
from understudy.report.palette import is_referee
from understudy.results import ArmResult, InteractivityResult, Record, ShiftResult, TranscriptsResult, UsersResult
from understudy.runs import MetricsLog
from understudy.runs.manifest import dotted

R = TypeVar("R", bound=Record)

RL_ARMS = ("static", "multiturn-aware", "interactive", "calibrated", "oracle")

_OWN = ("families", "seeds", "arms", "severities", "log_sizes", "data")
"""Keys by which the cells and sweeps of one experiment may differ."""

_PARTS = ("base", "user-aligned")
"""Stages whose models are each fitted on a part of the logs of their own; with a referee's, on all that is not held out."""


@dataclass(frozen=True)
class CellData:
    """What one task family with one seed has written.

    Attributes:
        arms: judged arms by name.
        sweeps: judgements of the graded stand-in (`severity`), of users of fewer logs (`log_size`), and of agents that were
            trained on beyond their arm (`further`).
        metrics: rows of training by arm.
        missing: what a finished cell would have beyond that, in words.
        all_judged: whether every arm of the config has been judged.
        repeats: times that an agent may have said a thing before, beyond which the aligned user leaves in training
            (`understudy.users.support`); None where it stays.
        fitted_on: logged dialogues behind its models, those that stopped their fitting included; None where a part's model is
            not there yet.
    """

    family: str
    seed: int
    arms: Mapping[str, ArmResult]
    sweeps: tuple[ArmResult, ...]
    metrics: Mapping[str, list[dict[str, Any]]]
    shift: ShiftResult | None
    users: UsersResult | None
    transcripts: TranscriptsResult | None
    missing: tuple[str, ...]
    all_judged: bool
    interactivity: InteractivityResult | None = None
    fitted_on: int | None = None
    repeats: int | None = None
    gone_on_with: ArmResult | None = None


@dataclass(frozen=True)
class RunData:
    """One run folder as read, or several as one.

    Attributes:
        path: of the first.
        manifest: of the first; empty if absent.
        others: by path of each further run folder, whose cells are among these, its manifest.
        unlike: dotted keys in which their settings differ.
        cells: all that have, or should have, results.
        answers: what a prompted LLM was asked; None where there was none.
        scores: what a judge of interactivity was asked, likewise.
    """

    path: Path
    manifest: Mapping[str, Any]
    cells: tuple[CellData, ...]
    answers: Spent | None = None
    scores: Spent | None = None
    others: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    unlike: tuple[str, ...] = ()

    @property
    def config(self) -> Mapping[str, Any]:
        found = self.manifest.get("config")
        return found if isinstance(found, Mapping) else {}

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.family for cell in self.cells))

    def of(self, family: str) -> tuple[CellData, ...]:
        """The family's cells, by seed."""
        return tuple(cell for cell in self.cells if cell.family == family)


def read_run(run: Path, *others: Path) -> RunData:
    """Everything that the report is made from.

    Args:
        others: run folders whose cells are taken in as well: other seeds and tasks, or sweeps of the same ones. The arms of a
            cell, and what was measured of them, are read from the first folder that has judged any; sweeps from all.

    Raises:
        RunError: if a folder does not exist, none holds a judged agent, or a file in one is damaged.
    """
    runs = [Path(folder) for folder in (run, *others)]
    for folder in runs:
        if not folder.is_dir():
            raise RunError("there is no such folder", where=str(folder), fix="give the folder that --out named")
    manifests = [_manifest(folder) for folder in runs]
    configs = [found if isinstance(found := manifest.get("config"), dict) else {} for manifest in manifests]
    places: dict[tuple[str, int], list[int]] = {}
    order: dict[str, int] = {}
    for i, (folder, config) in enumerate(zip(runs, configs, strict=True)):
        # A family of one's own is named package.module:Class in the config, and by dots in the folder.
        names = [str(name).replace(":", ".") for name in config.get("families", ())]
        for name in names:
            order.setdefault(name, len(order))
        for place in _found(folder) | {(f, s): None for f in names for s in config.get("seeds", ())}:
            places.setdefault(place, []).append(i)
    cells = [
        _cell(
            [runs[i] / "stages" / family / f"seed{seed}" for i in holders], family, seed, [configs[i] for i in holders]
        )
        for (family, seed), holders in sorted(
            places.items(), key=lambda item: (order.get(item[0][0], len(order)), *item[0])
        )
    ]
    if not any(cell.arms for cell in cells):
        raise RunError(
            "holds no result: no agent has been judged yet",
            where=", ".join(map(str, runs)),
            fix="let the run judge its first agent (go on with --resume), or give another run folder; results of a sweep alone "
            "need the run beside them that has the arms (understudy report RUN SWEEP)",
        )
    answers, scores = (_spent([run / "shared" / name for run in runs]) for name in (ANSWERS, SCORES))
    others_read = dict(zip(runs[1:], manifests[1:], strict=True))
    return RunData(runs[0], manifests[0], tuple(cells), answers, scores, others_read, _unlike(configs))


def _unlike(configs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Dotted keys in which the settings of several runs differ, but for what tells cells and sweeps apart.

    A key that one of them lacks is of a later version: it has the value at which it changes nothing, where there is one.
    """
    settings = [{**LATER_KEYS, **dict(dotted(config))} for config in configs if config]
    keys = (
        [key for key in dict(settings[0]) if key not in _OWN and not key.startswith("realignment.")] if settings else []
    )
    return tuple(key for key in keys if any(key in other and other[key] != settings[0][key] for other in settings[1:]))


def _manifest(run: Path) -> dict[str, Any]:
    manifest = _json(run / "manifest.json")
    if not isinstance(manifest, dict | None):
        raise RunError("is not a JSON object", where=str(run / "manifest.json"), fix="restore the file")
    return manifest or {}


def _spent(files: Sequence[Path]) -> Spent | None:
    """By all runs together; None where nothing was asked."""
    found = [AnswerStore(answers).spent() for answers in files if answers.is_file()]
    return Spent(*map(sum, zip(*map(astuple, found), strict=True))) if found else None


def _found(run: Path) -> dict[tuple[str, int], None]:
    places: dict[tuple[str, int], None] = {}
    for folder in sorted((run / "stages").glob("*/seed*")):
        if folder.is_dir() and folder.name[4:].isdigit():
            places[folder.parent.name, int(folder.name[4:])] = None
    return places


def _cell(folders: Sequence[Path], family: str, seed: int, configs: Sequence[Mapping[str, Any]]) -> CellData:
    """One cell from all the folders that hold a part of it."""
    judged = [_judgements(folder) for folder in folders]
    # What belongs together stays together: arms of two runs are not those of one experiment.
    place = next((i for i, found in enumerate(judged) if any(not _is_sweep(r) for r in found.values())), 0)
    folder = folders[place]
    arms = {r.arm: r for name, r in judged[place].items() if name == f"judge-{r.arm}" and not _is_sweep(r)}
    swept: dict[str, ArmResult] = {}
    for found in judged:
        for name, r in found.items():
            if _is_sweep(r):
                swept.setdefault(name, r)
    rounds = next((found for found in judged if any(r.further is not None for r in found.values())), {})
    metrics = {arm: rows for arm in RL_ARMS if (rows := MetricsLog(folder / arm / "metrics.jsonl").read())}
    shift = _record(folder / "shift" / "result.json", ShiftResult)
    users = _record(folder / "users" / "result.json", UsersResult)
    transcripts = _record(folder / "transcripts" / "result.json", TranscriptsResult)
    interactivity = _record(folder / "interactivity" / "result.json", InteractivityResult)
    measured: dict[str, Record | None] = {
        "context shift": shift,
        "coherence of the users": users,
        "transcripts": transcripts,
    }
    if any(isinstance(judge := config.get("interactivity"), dict) and judge.get("model") for config in configs):
        measured["interactivity"] = interactivity
    expected = tuple(dict.fromkeys(arm for config in configs for arm in config.get("arms", ()))) or tuple(arms)
    sweeps = tuple(swept.values())
    refereed = any(is_referee(arm.judge_label) for arm in arms.values())
    missing = [
        *(f"judgement of {arm}" for arm in expected if arm not in arms),
        *(f"learning curve of {arm}" for arm in expected if arm in arms and arm in RL_ARMS and arm not in metrics),
        *(name for name, found in measured.items() if found is None),
        *_missing_sweeps(sweeps, configs, refereed),
    ]
    return CellData(
        family,
        seed,
        arms,
        sweeps,
        metrics,
        shift,
        users,
        transcripts,
        tuple(missing),
        set(expected) <= set(arms),
        interactivity,
        _fitted_on(folder, (*_PARTS, "user-referee") if refereed else _PARTS),
        _repeats(folder),
        rounds.get("judge-calibrated"),
    )


def _judgements(folder: Path) -> dict[str, ArmResult]:
    """By the name of their stage."""
    found = {path.parent.name: _record(path, ArmResult) for path in sorted(folder.glob("judge-*/result.json"))}
    judged = {name: result for name, result in found.items() if result is not None}
    for name, result in judged.items():
        if "tuned" not in result.decoding:
            raise RunError(
                f"the judgement of {result.arm} has no tuned decoding", where=str(folder / name), fix="judge it again"
            )
    return judged


def _fitted_on(folder: Path, parts: Sequence[str]) -> int | None:
    histories = [_json(folder / part / "history.json") for part in parts]
    counts = [history.get("dialogues") if isinstance(history, dict) else None for history in histories]
    found = [count for count in counts if isinstance(count, int)]
    return sum(found) if len(found) == len(parts) else None


def _repeats(folder: Path) -> int | None:
    history = _json(folder / "user-aligned" / "history.json")
    support = history.get("support") if isinstance(history, dict) else None
    found = support.get("repeats") if isinstance(support, dict) else None
    return found if isinstance(found, int) else None


def _is_sweep(result: ArmResult) -> bool:
    # The interactive arm itself has severity 1; it is the right end of the curve, not part of the sweep.
    return result.log_size is not None or result.further is not None or result.severity not in (None, 1.0)


def _missing_sweeps(sweeps: Sequence[ArmResult], configs: Sequence[Mapping[str, Any]], referee: bool) -> list[str]:
    severities = {r.severity for r in sweeps}
    sizes = {r.log_size for r in sweeps}
    judged_rounds = [r.further for r in sweeps if r.further is not None]
    rounds = {f.rounds for f in judged_rounds if f.realigned} & {f.rounds for f in judged_rounds if not f.realigned}
    missing = []
    fewer = [size for config in configs for size in config.get("log_sizes", ()) if size not in sizes]
    if not referee:  # the rest exists for known users only
        graded = [s for config in configs for s in config.get("severities", ()) if s != 1 and s not in severities]
        if graded:
            missing.append(f"interactive at severity {' / '.join(f'{severity:g}' for severity in graded)}")
        planned = max((_rounds(config) for config in configs), default=0)
        if lacking := [str(i) for i in range(1, planned + 1) if i not in rounds]:
            missing.append(f"round {' / '.join(lacking)} of re-alignment")
    if fewer:
        missing.append(f"calibrated on {' / '.join(str(size) for size in fewer)} logs")
    return missing


def _rounds(config: Mapping[str, Any]) -> int:
    found = config.get("realignment")
    return int(found.get("rounds") or 0) if isinstance(found, dict) else 0


def _record(path: Path, kind: type[R]) -> R | None:
    value = _json(path)
    if value is None:
        return None
    try:
        return kind.from_json(value)
    except ValidationError as error:
        if _nan_for_null(value, error):
            return kind.from_json(value)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise RunError(
            f"does not hold what this version writes ({where}: {first['msg'].lower()})",
            where=str(path),
            fix="make the report with the version that made the run, or delete the stage's folder and --resume",
        ) from error


def _nan_for_null(value: Any, error: ValidationError) -> bool:
    """Put NaN where a figure is null, as JSON is written for one that was not finite; False if more is wrong."""
    wrong = error.errors()
    if any(e["type"] != "float_type" or e["input"] is not None for e in wrong):
        return False
    for e in wrong:
        *above, last = e["loc"]
        place = value
        for part in above:
            place = place[part]
        place[last] = math.nan
    return True


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise RunError(
            f"cannot be read: {error}", where=str(path), fix="restore the file, or delete its folder and --resume"
        ) from error
