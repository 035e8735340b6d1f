"""`understudy shift`: how far any agent and any user are from any logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import Agent, ConfigFile, Jobs, Logs, Overrides, Resume, User


def shift(
    agent: Agent,
    user: User,
    logs: Logs,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder, with shift.json and shift.html.")],
    dialogues: Annotated[int, typer.Option(min=100, help="Most dialogues of the logs to use, drawn at random.")] = 2000,
    heard_words: Annotated[
        int,
        typer.Option(min=0, help="Words that the user reads of each message of the agent, as in `align`; 0 for all."),
    ] = 60,
    reference: Annotated[
        str | None,
        typer.Option(
            help="Another model of these people: shown is how much worse than it the user foretells what they said."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is said, and of the tests.")] = 0,
    config: ConfigFile = None,
    overrides: Overrides = None,
    jobs: Jobs = 2,
    resume: Resume = False,
) -> None:
    """Is the training of this agent with this user anything like what it will meet?

    In every logged context the agent and the user speak in place of those who spoke there, and a classifier tries to tell
    them apart; then they talk with each other about the logs' tasks. The verdict says whether to train the agent on its own
    contexts, to align the user more, or to collect dialogues, at which turns, and what these dialogues cannot tell.
    """
    from rich.console import Console

    from understudy.cli.notes import note_other_code
    from understudy.cli.tables import shift_table
    from understudy.config import load_config
    from understudy.pipeline.shift_plan import ShiftConfig, shift_of, shift_plan, shift_report
    from understudy.report import build_shift_page
    from understudy.runs import RunFolder, write_json
    from understudy.scheduler import run_stages

    loaded = load_config(config, overrides or [], preset="align")
    asked = shift_of(
        ShiftConfig(
            agent=agent,
            user=user,
            logs=logs,
            dialogues=dialogues,
            heard_words=heard_words or None,
            reference=reference,
            seed=seed,
            candidates=loaded.residual.candidates,
            sampling=loaded.sampling,
        )
    )
    run = RunFolder.create(out, asked.config, resume=resume, inputs=asked.config.inputs())
    note_other_code(run)
    run_stages(run, shift_plan(asked), jobs)
    found = shift_report(run, asked)
    write_json(out / "shift.json", found.to_json())
    build_shift_page(found, out / "shift.html")
    console = Console()
    console.print(shift_table(found))
    for finding in found.verdict:
        console.print(f"{finding.part}: {finding.text}", markup=False, highlight=False)
    typer.echo(f"page: {out / 'shift.html'}")
