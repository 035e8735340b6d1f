"""`understudy align`: a user model on anybody's logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from understudy.cli.options import Columns, KeepDuplicates, LogFormat, Names, Region, Resume, parse_columns


def align(
    logs: Annotated[
        list[str],
        typer.Argument(
            help="Logs as `logs import` reads them: files, folders, or data sets of Hugging Face as hub:owner/name "
            "or hub:owner/name:config. "
            "Or a folder of `logs split`, with align.jsonl and heldout.jsonl.",
            metavar="PATH...",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder, with model/ and card.html.")],
    format: LogFormat = None,
    columns: Columns = None,
    keep_duplicates: KeepDuplicates = False,
    names: Names = None,
    region: Region = "US",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the splits and of the model.")] = 0,
    heard_words: Annotated[
        int,
        typer.Option(
            min=0, help="Words that the user reads of each message of the agent, for small models; 0 for all."
        ),
    ] = 60,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="YAML file; its user_model and sft are read.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="Override a config key, for example --set sft.steps=300.")
    ] = None,
    resume: Resume = False,
) -> None:
    """Fit a user model on your logs, and measure it on people whom it never saw.

    Logs that are not split yet are imported, scrubbed of personal data, described, and split by person, a fifth held out
    (the `logs` verbs do the same step by step, with more choices). Then role-reversed SFT from scratch, or of
    user_model.base: the model writes what the user wrote, and learns when to leave. Its card tells, turn by turn, how well
    it foretells held-out people's words, and how often it leaves where they did. No reward is needed.
    """
    from rich.console import Console

    from understudy.cli.notes import note_other_code
    from understudy.cli.tables import card_table, import_table, scrub_table, split_table
    from understudy.config import LATER_KEYS, load_config
    from understudy.errors import LogError
    from understudy.pipeline.align_plan import AlignConfig, align_plan, finish_align, prepared_in, refuse_inside
    from understudy.report import build_card_page
    from understudy.runs import RunFolder
    from understudy.scheduler import run_stages

    loaded = load_config(config, overrides or [], preset="align")
    asked = AlignConfig(
        logs=tuple(logs),
        format=format,
        columns=parse_columns(columns) if columns else None,
        keep_duplicates=keep_duplicates,
        names=names,
        region=region,
        heard_words=heard_words or None,
        seed=seed,
        user_model=loaded.user_model,
        sft=loaded.sft,
    )
    refuse_inside(out, asked.logs)
    run = RunFolder.create(out, asked, resume=resume, inputs=asked.inputs(), later=LATER_KEYS)
    note_other_code(run)
    try:
        run_stages(run, align_plan(asked), jobs=1)
    except LogError:
        run.remove_if_nothing_is_done()  # logs that cannot be used leave nothing behind
        raise
    card = finish_align(run)
    console = Console()
    if prepared := prepared_in(run, asked):
        console.print(import_table(prepared.imported), scrub_table(prepared.scrubbed), split_table(prepared.split))
        typer.echo(f"logs described: {prepared.page}")
    console.print(card_table(card))
    typer.echo(f"card: {build_card_page(card, out / 'card.html')}")
    typer.echo(f"user model: {out / 'model'}")
