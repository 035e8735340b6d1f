"""Options that several verbs share: what logs are read as, those that take models, and those that make a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.errors import LogError

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
LogFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="messages, sharegpt, wildchat, taskmaster, deal_or_no_deal, table, or a reader of your own as "
        "package.module:function. Default: what each file's first records look like.",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(help="What columns of a table are: conversation_id=Ticket,role=author,text=body,time=at,user_id=who."),
]
KeepDuplicates = Annotated[
    bool, typer.Option("--keep-duplicates", help="Keep conversations with the same words as an earlier one.")
]
Names = Annotated[Path | None, typer.Option(help="Text file of persons' names, one per line, to be found as well.")]
Region = Annotated[str, typer.Option(help="Country whose national phone numbers are known, such as US or DE.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out after it was stopped or killed.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Worker processes, one core each.")]


def parse_columns(text: str) -> dict[str, str]:
    """`role=author,text=body` as what columns are called -> what they are.

    Raises:
        LogError: if it is not written so.
    """
    known = ("conversation_id", "role", "text", "time", "user_id")
    found: dict[str, str] = {}
    for part in text.split(","):
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not equals or ours not in known or not theirs:
            fix = f"write for example role=author,text=body; known are {', '.join(known)}"
            raise LogError(f"{part.strip()!r} does not say what a column is", where="--columns", fix=fix)
        found[theirs] = ours
    return found
