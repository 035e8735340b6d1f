"""The stage in which people meet an agent in training: what comes back from an agent that is in use."""

from __future__ import annotations

from understudy.all_failed import all_failed
from understudy.evaluate.judge import appointments, hold
from understudy.logs.read import write_dialogues
from understudy.pipeline.cell import MET, Cell
from understudy.runs import write_json
from understudy.scheduler import StageContext


def meet_people(context: StageContext, cell: Cell, *, agent_stage: str, rounds: int) -> None:
    """Dialogues of an agent with people on tasks of training, sampled as it was in training: `met.jsonl`, `summary.json`.

    Args:
        rounds: with this one, from 1; each has tasks and persons of its own.

    Raises:
        UnderstudyError: if every dialogue failed.
    """
    count, family = cell.config.realignment.dialogues, cell.training_family()
    seed = cell.seed_of("met", f"round {rounds}")
    meetings = appointments(family, count, seed, f"round-{rounds}", held_out=cell.goals(held_out=False))
    held = hold(
        family,
        cell.agent_speaker(cell.load_agent(agent_stage, context)),
        cell.user(cell.people, context),
        meetings,
        cell.config.sampling.temperature,
        width=cell.config.sampling.width,
        on_finished=lambda done: context.progress(done, count),
    )
    if not held.dialogues:
        raise all_failed(held.failures, "people meeting the agent")
    write_dialogues(context.output / MET, held.dialogues)
    write_json(context.output / "summary.json", {"held": len(held.dialogues), "failed": len(held.failures)})
