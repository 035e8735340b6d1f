"""`understudy align`: a user model on anybody's logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def align(
    splits: Annotated[Path, typer.Argument(help="Folder of `logs split`, with align.jsonl and heldout.jsonl.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder: model/, card.json and card.html.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split for validation and of the model.")] = 0,
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
) -> None:
    """Fit a user model on your logs, and measure it on people whom it never saw.

    Role-reversed SFT from scratch: the model writes what the user wrote, and learns when to leave. Its card tells, turn by
    turn, how well it foretells held-out people's words, and how often it leaves where they did. No reward is needed.
    """
    from rich.console import Console

    from understudy.cli.tables import card_table
    from understudy.config import load_config
    from understudy.pipeline.own_logs import align_on_logs
    from understudy.report import build_card_page

    loaded = load_config(config, overrides or [], preset="align")
    console = Console()
    with console.status("aligning") as status:
        card = align_on_logs(
            splits,
            out,
            loaded,
            heard_words=heard_words or None,
            seed=seed,
            on_epoch=lambda e: status.update(
                f"step {e.step} of {loaded.sft.steps}: NLL {e.validation_nll:.3f} on validation"
            ),
        )
    console.print(card_table(card))
    typer.echo(f"card: {build_card_page(card, out / 'card.html')}")
