"""Options that the verbs share which take an agent's and a user's model."""

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
