"""Stages of a comparison, run one after the other in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from understudy.runs import write_json
from understudy.scheduler import Stage, StageContext


def run_stage(stages: Mapping[str, Stage], name: str, folder: Path) -> Path:
    """The folder of a finished stage; what it needs is run first."""
    output = folder / "stages" / name
    if not output.exists():
        for needed in stages[name].needs:
            run_stage(stages, needed, folder)
        output.mkdir(parents=True)
        stages[name].function()(StageContext(stages[name], folder, output), **stages[name].kwargs)
        write_json(output / "cost.json", {"wall_seconds": 1.0, "cpu_seconds": 1.0})
    return output
