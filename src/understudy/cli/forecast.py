"""`understudy forecast`: the reward with real users, with error bars, before any real user has met the agent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.models import Agent, ConfigFile, Logs, Overrides, User


def forecast(
    agent: Agent,
    user: User,
    logs: Logs,
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder: forecast.json and forecast.html.")],
    task: Annotated[
        str | None,
        typer.Option(help="Task family of your own, package.module:Class. Default: the one that the logs name."),
    ] = None,
    dialogues: Annotated[int, typer.Option(min=100, help="Dialogues to simulate.")] = 1000,
    replies: Annotated[
        int, typer.Option(min=100, help="Logged replies of people to take up, each twice, drawn at random.")
    ] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is said.")] = 0,
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """What will this agent earn with real users?

    The agent talks with the simulated user. Then logged dialogues are taken up, once after a person's reply and once with
    the user's own in its place: what that does to the reward corrects the simulated one. The interval also holds what the
    logs leave unknown, because this agent leads people to other contexts.
    """
    from rich.console import Console

    from understudy.cli.tables import forecast_table
    from understudy.config import load_config
    from understudy.logs.files import refuse_existing
    from understudy.pipeline.forecasting import forecast_of
    from understudy.report import build_forecast_page
    from understudy.runs import atomic_folder, write_json

    refuse_existing(out)
    loaded = load_config(config, overrides or [], preset="align")
    console = Console()
    with console.status("reading") as status:
        found = forecast_of(
            agent,
            user,
            logs,
            task=task,
            sampling=loaded.sampling,
            candidates=loaded.residual.candidates,
            dialogues=dialogues,
            reactions=replies,
            seed=seed,
            on_progress=lambda what, done, total: status.update(f"{what}: {done:,} of {total:,}"),
        )
    with atomic_folder(out) as unfinished:
        write_json(unfinished / "forecast.json", found.to_json())
        build_forecast_page(found, unfinished / "forecast.html")
    console.print(forecast_table(found))
    console.print(found.advice, markup=False, highlight=False)
    typer.echo(f"page: {out / 'forecast.html'}")
