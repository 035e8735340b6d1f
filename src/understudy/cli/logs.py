"""`understudy logs`: from whatever form logs have to splits that a user can be aligned on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from understudy.cli.options import Columns, KeepDuplicates, LogFormat, Names, Region, parse_columns
from understudy.errors import LogError

if TYPE_CHECKING:
    from understudy.logs.importing import OnProgress, Unit

logs = typer.Typer(
    name="logs",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help=(
        "Bring your own logs: import them from any common form, scrub personal data, split them by person, look at them.\n\n"
        "[bold]understudy logs import chats/ --out logs[/bold], then [bold]logs scrub logs/dialogues.jsonl --out "
        "clean.jsonl[/bold], [bold]logs split clean.jsonl --out splits[/bold], [bold]logs describe clean.jsonl[/bold]."
    ),
)

Dialogues = Annotated[Path, typer.Argument(help="dialogues.jsonl of `logs import`, or what `logs scrub` wrote.")]


@logs.command()
def sample(
    task: Annotated[
        str,
        typer.Argument(help="Task family with known users: elicit, edit, haggle, or maths or document with --data."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="JSONL file in the OpenAI `messages` form.")],
    dialogues: Annotated[int, typer.Option(min=1, help="How many dialogues.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of tasks, persons and words.")] = 0,
    data: Annotated[
        Path | None, typer.Option(help="Folder that the tasks come from: GSM8K for `maths`, articles for `document`.")
    ] = None,
) -> None:
    """Dialogues of known users with the imperfect scripted agent, for reading and for trying things out."""
    from understudy.logs.files import refuse_existing
    from understudy.logs.read import write_dialogues
    from understudy.pipeline.known_logs import known_family, known_logs

    refuse_existing(out)
    write_dialogues(out, known_logs(known_family(task, data), dialogues, max(1, dialogues // 5), seed))
    typer.echo(f"{dialogues} dialogues: {out}")


@logs.command("import")
def import_(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, or data sets of Hugging Face as hub:owner/name or hub:owner/name:config.",
            metavar="PATH...",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder: dialogues.jsonl, rejects.jsonl, summary.json.")],
    format: LogFormat = None,
    columns: Columns = None,
    keep_duplicates: KeepDuplicates = False,
    split: Annotated[str, typer.Option(help="Split of data sets by name.")] = "train",
) -> None:
    """Read logs in any common form into one checked file.

    JSON lines and lists, CSV, parquet, arrow, .gz of the texts; the forms of OpenAI, ShareGPT, WildChat, LMSYS, Taskmaster,
    Deal or No Deal, and tables with one message per row. Nothing is dropped silently: what cannot be used goes to
    rejects.jsonl with file, line and reason.
    """
    from rich.console import Console

    from understudy.cli.tables import import_table
    from understudy.logs.importing import import_logs

    with _bar("reading") as on_progress:
        summary = import_logs(
            paths,
            out,
            format_name=format,
            columns=parse_columns(columns) if columns else None,
            split=split,
            keep_duplicates=keep_duplicates,
            on_progress=on_progress,
        )
    Console().print(import_table(summary))
    typer.echo(f"dialogues: {out / 'dialogues.jsonl'}")
    if summary.passed_over:
        typer.echo(f"passed over, by their names: {', '.join(summary.passed_over)}")
    if summary.rejected:
        typer.echo(f"rejected, with reasons: {out / 'rejects.jsonl'}")


@logs.command()
def scrub(
    dialogues: Dialogues,
    out: Annotated[Path, typer.Option("--out", "-o", help="New JSONL file.")],
    names: Names = None,
    region: Region = "US",
) -> None:
    """Replace personal data by placeholders such as [EMAIL_1], the same throughout a conversation.

    E-mail addresses, phone and card numbers, addresses of machines (IP, MAC), keys and tokens, and listed names; persons
    get numbers. It finds shapes, not meaning: read some of the result before you share it.
    """
    from rich.console import Console

    from understudy.cli.tables import scrub_table
    from understudy.logs.scrub import read_names, scrub_logs

    listed = read_names(names) if names else []
    with _counter("scrubbing") as on_conversation:
        summary = scrub_logs(dialogues, out, names=listed, region=region, on_conversation=on_conversation)
    Console().print(scrub_table(summary))
    typer.echo(f"scrubbed: {out}")


@logs.command()
def split(
    dialogues: Dialogues,
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder, one JSONL file per split.")],
    shares: Annotated[
        str, typer.Option(help="Splits with their shares of the conversations.")
    ] = "align=0.6,agent=0.3,heldout=0.1",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    similarity: Annotated[
        float,
        typer.Option(min=0.05, help="Share of words in common from which conversations stay together; 2 for never."),
    ] = 0.7,
) -> None:
    """Split by person, or by conversation where no person is known; near-duplicates stay on one side.

    So that no held-out person was seen in fitting, and no held-out conversation was seen in other words.
    """
    from rich.console import Console

    from understudy.cli.tables import split_table
    from understudy.logs.splitting import split_logs

    with _counter("comparing") as on_conversation:
        summary = split_logs(
            dialogues, out, parse_shares(shares), seed=seed, similarity=similarity, on_conversation=on_conversation
        )
    Console().print(split_table(summary))
    typer.echo(f"splits: {out}")


@logs.command()
def describe(
    dialogues: Dialogues,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="HTML page. Default: the file's name with .html, beside it.")
    ] = None,
) -> None:
    """What is in the logs: turns, lengths, when people leave, who opens, words, outcomes. A table and an HTML page."""
    from rich.console import Console

    from understudy.cli.tables import description_table
    from understudy.logs.conversation import read_conversations
    from understudy.logs.describe import describe as describe_
    from understudy.report import build_logs_page

    page = out or dialogues.with_suffix(".html")
    if page.suffix.lower() not in (".html", ".htm"):
        raise LogError(f"{page.name} is no name of a page", where="--out", fix="let it end in .html")
    with _counter("reading") as on_conversation:
        description = describe_(read_conversations(dialogues), on_conversation)
    Console().print(description_table(description))
    typer.echo(f"page: {build_logs_page(description, dialogues.name, page)}")


def parse_shares(text: str) -> dict[str, float]:
    """`align=0.6,heldout=0.4` as a mapping.

    Raises:
        LogError: if it is not written so, or a split is named twice or is no plain file name.
    """
    fix = "write them as align=0.6,agent=0.3,heldout=0.1"
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (piece.strip() for piece in part.partition("="))
        try:
            value = float(share)
        except ValueError:
            raise LogError(f"{part.strip()!r} is no split with its share", where="--shares", fix=fix) from None
        if name in found or not name.replace("-", "").replace("_", "").isalnum():
            raise LogError(f"{name!r} is no name for one split", where="--shares", fix=fix)
        found[name] = value
    return found


@contextmanager
def _bar(title: str) -> Iterator[OnProgress]:
    """A bar on the terminal, in bytes of a file or records of a data set; nothing where there is no terminal."""
    from rich.console import Console
    from rich.filesize import decimal
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    name_column, read_column = (TextColumn(f"{{task.{f}}}", markup=False) for f in ("description", "fields[read]"))
    columns = (name_column, BarColumn(), read_column, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(title, total=None, read="")

        def update(name: str, position: int, size: int, unit: Unit) -> None:
            read = f"{position:,} records" if unit == "records" else f"{decimal(position)} of {decimal(size)}"
            progress.update(
                bar, description=f"{title} {Path(name).name}", completed=position, total=size or None, read=read
            )

        yield update


@contextmanager
def _counter(title: str) -> Iterator[Callable[[int], None]]:
    """The number of conversations so far, on the terminal; nothing where there is no terminal."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn(title), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(title, total=None)
        yield lambda count: progress.update(bar, completed=count)
