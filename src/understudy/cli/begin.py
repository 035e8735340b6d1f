"""How every verb that makes a run begins it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from understudy.runs import RunFolder


def begin(
    out: Path,
    config: BaseModel,
    *,
    resume: bool,
    inputs: Sequence[Path] | None = None,
    free: Collection[str] = (),
    later: Mapping[str, Any] | None = None,
) -> RunFolder:
    """`RunFolder.create`, saying so where a run goes on with other code: what it has finished is not made again.

    Raises:
        RunError: see there.
    """
    run = RunFolder.create(out, config, resume=resume, inputs=inputs, free=free, later=later)
    if run.other_code:
        lines = "".join(f"\n    {line}" for line in run.other_code)
        typer.echo(f"note: {out} goes on with other code; its finished stages stay as they are:{lines}", err=True)
    return run
