"""What a stage is, what it is given, and in which order stages can run."""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=+-]*(/[A-Za-z0-9_][A-Za-z0-9_.=+-]*)*")


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a run; its output is the folder `<run>/stages/<name>/`.

    Attributes:
        name: unique; parts may be divided by `/` (`elicit/seed0/base`), but no stage lies inside another's folder.
        needs: names of the stages whose output it reads.
        run: called in a worker process as `run(context, **kwargs)`: a top-level function, or its place as
            `package.module:function`, which keeps heavy imports out of the parent. It may be killed and started
            again at any moment: what it wants to keep it writes, whole, into `context.scratch`.
        kwargs: further arguments; they must be picklable.
        label: for progress bars; the name if empty.
        priority: stages that are ready run in this order, higher first; among equals those that most others wait for.
    """

    name: str
    needs: tuple[str, ...]
    run: Callable[..., None] | str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    priority: int = 0

    @property
    def title(self) -> str:
        return self.label or self.name

    def function(self) -> Callable[..., None]:
        """The function to call, imported if it was given by its place."""
        if not isinstance(self.run, str):
            return self.run
        module, _, name = self.run.partition(":")
        function: Callable[..., None] = getattr(importlib.import_module(module), name)
        return function


class StageContext:
    """What a running stage reads from, writes to and reports with."""

    def __init__(
        self,
        stage: Stage,
        run: Path,
        output: Path,
        report: Callable[[int, int, dict[str, Any]], None] = lambda done, total, figures: None,
    ) -> None:
        self.name = stage.name
        self.output = output
        """An empty folder to write to; it becomes the stage's folder when the stage returns."""
        self.scratch = run / "scratch" / stage.name
        """A folder for checkpoints: it survives kills, and is removed when the stage is finished."""
        self.shared = run / "shared"
        """A folder that all stages of the run may write to, each file safe for several processes at once; it is kept."""
        self._run, self._needs, self._report = run, stage.needs, report
        self.scratch.mkdir(parents=True, exist_ok=True)

    def input(self, name: str) -> Path:
        """The folder of a finished stage.

        Raises:
            ValueError: if `name` is not among the stage's needs, so that it might not be finished yet.
        """
        if name not in self._needs:
            raise ValueError(f"stage {self.name} reads {name}, which is not among its needs: {', '.join(self._needs)}")
        return self._run / "stages" / name

    def reporting_to(self, report: Callable[[int, int, dict[str, Any]], None]) -> StageContext:
        """The same, with other ears: a stage that works in processes of its own hears of them itself."""
        other = copy.copy(self)
        other._report = report
        return other

    def progress(self, done: int, total: int, /, **figures: float | str) -> None:
        """Report `done` of `total` and the latest figures (for example `reward=0.4`); cheap, call it often."""
        self._report(done, total, figures)


@dataclass(frozen=True, slots=True)
class Event:
    """What a display is told.

    Attributes:
        kind: `found` (finished in an earlier run), `started`, `progress` or `finished`.
        finished: stages finished so far, those found included.
        stages: stages in all.
        done, total, figures: as reported by the stage; of `progress` only.
        wall_seconds, cpu_seconds: what the stage took; of `finished` only.
    """

    kind: Literal["found", "started", "progress", "finished"]
    stage: Stage
    finished: int
    stages: int
    done: int = 0
    total: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict)
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


def ordered(stages: Sequence[Stage]) -> list[Stage]:
    """The stages, those first that should start first: by priority, then by the longest chain that waits for them.

    Raises:
        ValueError: if names repeat, are not usable as folders or lie inside each other, needs are unknown, or circular.
    """
    by_name = {stage.name: stage for stage in stages}
    if len(by_name) != len(stages):
        names = [stage.name for stage in stages]
        raise ValueError(f"stages share a name: {sorted({n for n in names if names.count(n) > 1})}")
    for stage in stages:
        if not _NAME.fullmatch(stage.name):
            raise ValueError(
                f"{stage.name!r} cannot be a stage's name: use letters, digits, . _ = + - and / between parts"
            )
        if inside := [parent for parent in _parents(stage.name) if parent in by_name]:
            raise ValueError(f"stage {stage.name} would lie inside the folder of stage {inside[0]}")
        if unknown := [need for need in stage.needs if need not in by_name]:
            raise ValueError(f"stage {stage.name} needs {', '.join(unknown)}, which is not a stage")
    waiting = _chains(by_name)
    places = {stage.name: place for place, stage in enumerate(stages)}
    return sorted(stages, key=lambda s: (-s.priority, -waiting[s.name], places[s.name]))


def _chains(by_name: Mapping[str, Stage]) -> dict[str, int]:
    """For each stage, the number of stages in the longest chain that waits for it."""
    chains = dict.fromkeys(by_name, 0)
    visited: set[str] = set()
    order: list[str] = []
    for name in by_name:
        _visit(name, by_name, visited, (), order)
    for name in reversed(order):  # those that wait come before those they wait for
        for need in by_name[name].needs:
            chains[need] = max(chains[need], chains[name] + 1)
    return chains


def _visit(name: str, by_name: Mapping[str, Stage], visited: set[str], path: tuple[str, ...], order: list[str]) -> None:
    if name in path:
        raise ValueError(f"stages need each other in a circle: {' -> '.join((*path[path.index(name) :], name))}")
    if name in visited:
        return
    for need in by_name[name].needs:
        _visit(need, by_name, visited, (*path, name), order)
    visited.add(name)
    order.append(name)


def _parents(name: str) -> Iterable[str]:
    parts = name.split("/")
    return ("/".join(parts[:length]) for length in range(1, len(parts)))
