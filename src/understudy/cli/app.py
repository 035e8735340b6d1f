"""The command line: one verb per stage of the work. Heavy imports happen inside the verbs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from understudy import __version__
from understudy.cli.align import align
from understudy.cli.cost import cost
from understudy.cli.forecast import forecast
from understudy.cli.logs import logs
from understudy.cli.options import Jobs, Resume
from understudy.cli.shift import shift
from understudy.errors import UnderstudyError

app = typer.Typer(
    name="understudy",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help=(
        "Train conversational agents against simulated users that were proved against real ones.\n\n"
        "Start with [bold]understudy demo[/bold]: logs of known users, an aligned user, agents in six arms, "
        "every agent judged with the real users, and a report, in about three minutes on a laptop."
    ),
)

app.add_typer(logs)
app.command()(align)
app.command()(shift)
app.command()(forecast)
app.command()(cost)

Out = Annotated[Path, typer.Option("--out", "-o", help="Run folder: everything is written there.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Override a config key, for example --set rl.steps=20 (repeatable)."),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="YAML file; keys not given keep their defaults.")
]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"understudy {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Shared options."""


@app.command()
def demo(
    out: Out = Path("runs/demo"),
    task: Annotated[str, typer.Option(help="Task family with known users: elicit, edit or haggle.")] = "haggle",
    seed: Annotated[int, typer.Option(help="Seed of everything: users, logs, models, training.")] = 0,
    jobs: Jobs = 2,
    resume: Resume = False,
    overrides: Overrides = None,
) -> None:
    """The main job at small size: one task, one seed, every arm, a report. Its figures are illustrative.

    Users that are exactly known talk with a scripted agent; a user model is aligned on these logs; agents are trained on
    logged contexts (static), with a stand-in for a prompted LLM user (interactive), with the aligned user (calibrated) and
    with the real users (oracle); all are judged with the real users.
    """
    _compare(
        out,
        None,
        [f"families=[{task}]", f"seeds=[{seed}]", *(overrides or [])],
        preset="demo",
        jobs=jobs,
        resume=resume,
    )


@app.command()
def compare(
    out: Out = Path("runs/compare"),
    task: Annotated[
        list[str] | None,
        typer.Option(
            help="Task family (repeatable): elicit, edit, haggle, negotiate, maths, document. Default: the config's."
        ),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed (repeatable). Default: the config's.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of people's dialogues or of tasks: Deal or No Deal for `negotiate`, GSM8K for `maths`, articles for "
            "`document`."
        ),
    ] = None,
    severity: Annotated[
        bool,
        typer.Option("--severity", help="Also grade the prompted stand-in's failings: 0, 0.25, 0.5, 0.75 (and 1)."),
    ] = False,
    logs: Annotated[
        bool,
        typer.Option(
            "--logs",
            help="Also align users on 100, 300 and 1,000 dialogues (calibrated itself: 3,000) and train with them.",
        ),
    ] = False,
    realign: Annotated[
        bool,
        typer.Option(
            "--realign",
            help="Also train the calibrated agent on in two rounds, its user aligned again before each on 500 dialogues of "
            "people with it; beside each a control with the same user.",
        ),
    ] = False,
    engine: Annotated[
        str | None,
        typer.Option(help="Who makes the steps of RL: local, trl or verl (docs/engines.md). Default: the config's."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="full, small (smoke test), demo, or pretrained (models by name: docs/models.md).")
    ] = "full",
    config: ConfigFile = None,
    overrides: Overrides = None,
    jobs: Jobs = 2,
    resume: Resume = False,
) -> None:
    """Every arm on several tasks and seeds, judged with real users, with intervals and a report.

    Runs for hours; stop it at any moment and go on with --resume. One cell at a time: --task elicit --seed 0.
    """
    given = []
    if task:
        given.append(f"families=[{', '.join(task)}]")
    if seed:
        given.append(f"seeds=[{', '.join(map(str, seed))}]")
    if data:
        given.append(f"data={json.dumps(str(data))}")
    if severity:
        given.append("severities=[0, 0.25, 0.5, 0.75, 1]")
    if logs:
        given.append("log_sizes=[100, 300, 1000]")
    if realign:
        given.append("realignment.rounds=2")
    if engine:
        given.append(f"rl.engine={engine}")
    _compare(out, config, [*given, *(overrides or [])], preset=preset, jobs=jobs, resume=resume)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run folder, finished or not.")],
    others: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Further run folders to show as one with it: other seeds and tasks, or sweeps of the same."
        ),
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="HTML file. Default: report.html in the first run folder.")
    ] = None,
    tables: Annotated[
        Path | None, typer.Option(help="Also write the tables to this Markdown file, with every seed's figures.")
    ] = None,
) -> None:
    """One self-contained HTML page from the files of a run, or of several, and the table in the terminal."""
    from rich.console import Console

    from understudy.report import build_report, print_summary, summarise, write_tables

    runs = (run, *(others or []))
    print_summary(summarise(*runs), Console())
    if tables is not None:
        typer.echo(f"tables: {write_tables(*runs, out=tables)}")
    typer.echo(f"report: {build_report(*runs, out=out)}")


@app.command()
def config(
    preset: Annotated[str, typer.Option(help="full, small, demo, align or pretrained.")] = "full",
    config: ConfigFile = None,
    overrides: Overrides = None,
) -> None:
    """Print the whole config as YAML, every default included, after checking it."""
    from understudy.config import dump_config, load_config

    typer.echo(dump_config(load_config(config, overrides or [], preset=preset)))


def _compare(out: Path, config: Path | None, overrides: list[str], *, preset: str, jobs: int, resume: bool) -> None:
    from rich.console import Console

    from understudy.config import FREE_KEYS, LATER_KEYS, load_config

    loaded = load_config(config, overrides, preset=preset)

    from understudy.cli.notes import note_other_code
    from understudy.pipeline.plan import check_comparison, plan
    from understudy.runs import RunFolder
    from understudy.scheduler import run_stages

    check_comparison(loaded)
    run = RunFolder.create(out, loaded, resume=resume, free=FREE_KEYS, later=LATER_KEYS)
    note_other_code(run)
    # One thread per worker: small models gain nothing from more, results do not depend on --jobs, and threads that wait
    # for each other on busy cores are slower than one by far.
    run_stages(run, plan(loaded), jobs, threads=1)

    from understudy.report import build_report, print_summary, summarise

    print_summary(summarise(out), Console())
    typer.echo(f"report: {build_report(out)}")


_STOPPED = 130
"""Exit code after Ctrl-C."""


def main() -> None:
    """Entry point: a user's mistake is one message and exit code 2, Ctrl-C is 130, never a traceback for either."""
    try:
        code = app(standalone_mode=False)  # typer gives back 130 on Ctrl-C, and what a command left with
        if code == _STOPPED:
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except UnderstudyError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except typer.Exit as leave:
        sys.exit(leave.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo(
            "stopped; demo, compare, align, shift and forecast go on with the same command and --resume", err=True
        )
        sys.exit(_STOPPED)
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")) and hasattr(error, "show"):
            error.show()
            sys.exit(2)
        raise
