"""What a verb says of a run before it goes on with it."""

from __future__ import annotations

import typer

from understudy.runs import RunFolder


def note_other_code(run: RunFolder) -> None:
    """Say so where a run goes on with other code than it last ran with: what it has finished is not made again."""
    if changes := run.other_code():
        lines = "".join(f"\n    {line}" for line in changes)
        typer.echo(f"note: {run.path} goes on with other code; its finished stages stay as they are:{lines}", err=True)
