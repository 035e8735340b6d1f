"""The run folder: where everything of one run lies, and what tells how to make it again.

manifest.json            config, seeds, versions, git revision, platform, input hashes, when it was resumed
stages/<name>/           what a finished stage wrote; a folder that is there is whole
scratch/<name>/          checkpoints of a stage that is not finished
errors/<name>.txt        the traceback of a stage that failed unexpectedly
workers/<n>.txt          what worker processes printed
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from understudy.errors import RunError
from understudy.runs.atomic import disk_errors, write_json
from understudy.runs.manifest import differences, git_revision, input_hashes, platform_name, versions

MANIFEST = "manifest.json"
FORMAT = 1


class RunFolder:
    """A run folder with a manifest; made by `create`, or by `open` for reading."""

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        self.path, self.manifest = path, manifest

    @classmethod
    def create(
        cls,
        path: Path | str,
        config: BaseModel,
        *,
        resume: bool = False,
        inputs: Sequence[Path] | None = None,
        free: Collection[str] = (),
        later: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        """Start a run, or go on with one.

        Args:
            path: the folder; it may exist if it is empty.
            config: goes into the manifest.
            resume: go on with the run that is there; a folder without a run is started afresh.
            inputs: files and folders whose contents the run depends on; by default those of the config (its `inputs()`).
            free: dotted keys that may differ in a run that goes on: they change what it costs, not what comes of it.
            later: values of dotted keys that a run of an earlier version lacks: options that change nothing at these.

        Raises:
            RunError: if the folder holds a run and `resume` is false, or a run of another config or of other inputs
                (naming the keys and both values), or something else than a run, or cannot be written.
        """
        path = Path(path)
        if inputs is None:
            named = getattr(config, "inputs", None)
            inputs = [] if named is None else named()
        values = config.model_dump(mode="json")
        if (path / MANIFEST).exists():
            return cls._resumed(path, values, inputs, resume, free, later)
        _refuse_occupied(path)
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "created": _now(),
            "config": values,
            "seeds": values.get("seeds", [values["seed"]] if "seed" in values else None),
            "versions": versions(),
            "git_revision": git_revision(),
            "platform": platform_name(),
            "inputs": input_hashes(inputs),
            "resumed": [],
        }
        write_json(path / MANIFEST, manifest)
        return cls(path, manifest)

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """A run that is there, for reading.

        Raises:
            RunError: if there is none, or its manifest is damaged.
        """
        path = Path(path)
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError(
                "is not a run folder: it has no manifest.json", where=str(path), fix="check --out"
            ) from error
        except (OSError, ValueError) as error:
            raise _damaged(path, str(error)) from error
        if not isinstance(manifest, dict) or not isinstance(manifest.get("config"), dict):
            raise _damaged(path, "it holds no config")
        if manifest.get("format") != FORMAT:
            raise RunError(
                f"is of run format {manifest.get('format')!r}, this version reads {FORMAT}",
                where=str(path / MANIFEST),
                fix="use the version of understudy that made this run, or start anew with another --out",
            )
        return cls(path, manifest)

    def other_code(self) -> list[str]:
        """What differs of versions and git revision from the time before, if it is a resumed run: `key: old, now new`."""
        times = [self.manifest, *self.manifest.get("resumed", [])][-2:]
        code = [{"versions": time.get("versions", {}), "git_revision": time.get("git_revision")} for time in times]
        return differences(code[0], code[-1])

    def stage(self, name: str) -> Path:
        """Where a stage's output lies once it is finished."""
        return self.path / "stages" / name

    def scratch(self, name: str) -> Path:
        """Where a stage keeps its checkpoints until it is finished."""
        return self.path / "scratch" / name

    def result(self, name: str) -> dict[str, Any]:
        """What a finished stage wrote to `result.json`."""
        found: dict[str, Any] = json.loads((self.stage(name) / "result.json").read_text(encoding="utf-8"))
        return found

    def is_done(self, name: str) -> bool:
        return self.stage(name).is_dir()

    def remove_if_nothing_is_done(self) -> None:
        """Remove a run that has not finished a stage."""
        stages = self.path / "stages"
        if not stages.is_dir() or not any(not path.name.startswith(".") for path in stages.iterdir()):
            shutil.rmtree(self.path, ignore_errors=True)

    @classmethod
    def _resumed(
        cls,
        path: Path,
        config: Mapping[str, Any],
        inputs: Sequence[Path],
        resume: bool,
        free: Collection[str],
        later: Mapping[str, Any] | None,
    ) -> RunFolder:
        run = cls.open(path)
        if not resume:
            raise RunError(
                f"holds a run already (started {run.manifest.get('created')})",
                where=str(path),
                fix="go on with it by --resume, or start anew with another --out",
            )
        if keys := differences(run.manifest["config"], config, free, later):
            raise _refused(path, "another config", keys, "go back to these values, or start anew with another --out")
        if files := differences(run.manifest.get("inputs", {}), input_hashes(inputs)):
            raise _refused(
                path, "other input files", files, "bring the old files back, or start anew with another --out"
            )
        entry = {"time": _now(), "versions": versions(), "git_revision": git_revision()}
        manifest = {**run.manifest, "resumed": [*run.manifest.get("resumed", []), entry]}
        write_json(path / MANIFEST, manifest)
        return cls(path, manifest)


def _refuse_occupied(path: Path) -> None:
    """A folder without a manifest may only hold what a start that was killed leaves behind."""
    if path.exists() and not path.is_dir():
        raise RunError("is a file, not a folder", where=str(path), fix="use another --out")
    with disk_errors(path):
        others = [p.name for p in path.iterdir() if not p.name.startswith(f".{MANIFEST}.tmp-")] if path.exists() else []
    if others:
        raise RunError(
            f"is not empty and not a run folder (it holds {', '.join(sorted(others)[:3])})",
            where=str(path),
            fix="use another --out",
        )


def _damaged(path: Path, why: str) -> RunError:
    return RunError(
        f"is damaged: {why}", where=str(path / MANIFEST), fix="restore the file, or start anew with another --out"
    )


def _refused(path: Path, what: str, lines: Sequence[str], fix: str) -> RunError:
    shown = [*lines[:20], *([f"and {len(lines) - 20} more"] if len(lines) > 20 else [])]
    listing = "".join(f"\n    {line}" for line in shown)
    return RunError(f"belongs to a run with {what}:{listing}", where=str(path), fix=fix)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
