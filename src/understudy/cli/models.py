"""Options that several verbs share: those that take models, and those that make a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Agent = Annotated[str, typer.Option(help="The agent's model: a folder, or a name that transformers can load.")]
User = Annotated[str, typer.Option(help="The simulated user's model, likewise.")]
Logs = Annotated[Path, typer.Option(help="Dialogues of real people, best ones that no model was fitted on.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="YAML file; its sampling and residual are read.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Override a config key, for example --set sampling.temperature=0.7."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out after it was stopped or killed.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Worker processes, one core each.")]
