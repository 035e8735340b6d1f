"""`understudy forecast`: the reward with real users, with error bars, before any real user has met the agent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import Agent, ConfigFile, Jobs, Logs, Overrides, Resume, User


def forecast(
    agent: Agent,
    user: User,
    logs: Logs,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder, with forecast.json and forecast.html.")],
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
    jobs: Jobs = 2,
    resume: Resume = False,
) -> None:
    """What will this agent earn with real users?

    The agent talks with the simulated user. Then logged dialogues are taken up, once after a person's reply and once with
    the user's own in its place: what that does to the reward corrects the simulated one. The interval also holds what the
    logs leave unknown, because this agent leads people to other contexts.
    """
    from rich.console import Console

    from understudy.cli.notes import note_other_code
    from understudy.cli.tables import forecast_table
    from understudy.config import load_config
    from understudy.pipeline.forecast_plan import ForecastConfig, forecast_of, forecast_plan, forecast_report
    from understudy.report import build_forecast_page
    from understudy.runs import RunFolder, write_json
    from understudy.scheduler import run_stages

    loaded = load_config(config, overrides or [], preset="align")
    asked = forecast_of(
        ForecastConfig(
            agent=agent,
            user=user,
            logs=logs,
            task=task,
            dialogues=dialogues,
            replies=replies,
            seed=seed,
            candidates=loaded.residual.candidates,
            sampling=loaded.sampling,
        )
    )
    run = RunFolder.create(out, asked.config, resume=resume, inputs=asked.config.inputs())
    note_other_code(run)
    run_stages(run, forecast_plan(asked), jobs)
    found = forecast_report(run, asked)
    write_json(out / "forecast.json", found.to_json())
    build_forecast_page(found, out / "forecast.html")
    console = Console()
    console.print(forecast_table(found))
    console.print(found.advice, markup=False, highlight=False)
    typer.echo(f"page: {out / 'forecast.html'}")
