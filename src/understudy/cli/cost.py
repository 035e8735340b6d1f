"""`understudy cost`: what a run with any two models will take, before it is started."""

from __future__ import annotations

from typing import Annotated

import typer


def cost(
    agent: Annotated[str, typer.Option(help="Folder with a config.json, or a name on the hub; no weights are loaded.")],
    user: Annotated[str, typer.Option(help="The same of the user's model.")],
    turns: Annotated[int, typer.Option(min=1, help="Messages of each side in a dialogue.")] = 6,
    agent_tokens: Annotated[int, typer.Option(min=1, help="Tokens of one message of the agent.")] = 200,
    user_tokens: Annotated[int, typer.Option(min=1, help="Tokens of one message of the user.")] = 50,
    agent_prompt: Annotated[int, typer.Option(min=0, help="Tokens of the agent's prompt.")] = 200,
    user_prompt: Annotated[int, typer.Option(min=0, help="Tokens of the user's prompt, its goal.")] = 100,
    restated: Annotated[
        bool,
        typer.Option(help="Whether the user's prompt stands before each message that it hears (`prompt: each turn`)."),
    ] = False,
    dialogues: Annotated[int, typer.Option(min=1, help="How many dialogues.")] = 1000,
    gpu: Annotated[str, typer.Option(help="a100, h100 or h200, both models on one.")] = "h100",
    lora_rank: Annotated[
        int | None, typer.Option(min=1, help="Train an adapter of this rank, not the weights.")
    ] = None,
    frozen_bf16: Annotated[
        bool, typer.Option(help="Hold the weights below an adapter in bf16 (`model.weights`).")
    ] = False,
    checkpointing: Annotated[bool, typer.Option(help="Compute layers again in the backward pass.")] = False,
    compute_share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the GPU's arithmetic that is reached: an assumption.")
    ] = 0.4,
    bandwidth_share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of its memory's bandwidth that is reached: an assumption.")
    ] = 0.6,
) -> None:
    """What dialogues between two models take: tokens, memory, and GPU-hours to hold them and to learn from them.

    By formula, from the models' configurations alone (docs/scaling.md). Where --agent and --user are the same, adapters with
    --frozen-bf16 hold it once.
    """
    from rich.console import Console

    from understudy.cli.tables import cost_table
    from understudy.errors import ConfigError
    from understudy.models.cost import DEVICES, Side, cost_of
    from understudy.models.shape import shape_of

    if gpu not in DEVICES:
        raise ConfigError(f"{gpu!r} is not known", where="--gpu", fix=f"take one of {', '.join(DEVICES)}")
    sides = (
        Side(shape_of(agent), prompt=agent_prompt, written=agent_tokens, heard=user_tokens, turns=turns),
        Side(
            shape_of(user), prompt=user_prompt, written=user_tokens, heard=agent_tokens, turns=turns, restated=restated
        ),
    )
    found = cost_of(
        *sides,
        DEVICES[gpu],
        dialogues=dialogues,
        compute_share=compute_share,
        bandwidth_share=bandwidth_share,
        lora_rank=lora_rank,
        frozen_bf16=frozen_bf16,
        one_model=agent == user and lora_rank is not None and frozen_bf16,
        checkpointing=checkpointing,
    )
    Console().print(cost_table(sides, found, gpu))
