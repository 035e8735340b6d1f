"""The stage in which an LLM judges how interactive the agents are; it reads finished judgements, and asks nobody else."""

from __future__ import annotations

from understudy.endpoint.answers import SCORES, AnswerStore
from understudy.evaluate.interactivity import InteractivityJudge, interactivity
from understudy.pipeline.cell import Cell
from understudy.pipeline.judging import read_tuned
from understudy.results import InteractivityResult
from understudy.runs import stream, write_json
from understudy.scheduler import StageContext
from understudy.types import Dialogue


def judge_interactivity(context: StageContext, cell: Cell, *, arms: dict[str, str]) -> None:
    """A sample of each arm's dialogues with the judging users (tuned decoding), the same tasks in every arm: `result.json`.

    Args:
        arms: stage of the judgement by arm.
    """
    config, seed = cell.config.interactivity, cell.seed_of("interactivity")
    judge = InteractivityJudge(config, AnswerStore(context.shared / SCORES))
    by_task = {arm: {d.task.id: d for d in read_tuned(context.input(stage))} for arm, stage in arms.items()}
    shared = [
        task for task in next(iter(by_task.values())) if all(_spoke(found.get(task)) for found in by_task.values())
    ]
    drawn = [shared[i] for i in stream(seed, "dialogues").permutation(len(shared))[: config.dialogues]]
    found = {}
    for done, (arm, dialogues) in enumerate(by_task.items(), 1):
        found[arm] = interactivity(judge.scores([dialogues[task] for task in drawn]), cell.seed_of("score", arm))
        context.progress(done, len(by_task))
    result = InteractivityResult(family=cell.family_name, seed=cell.seed, judge=str(config.model), arms=found)
    write_json(context.output / "result.json", result.to_json())


def _spoke(dialogue: Dialogue | None) -> bool:
    """Whether the dialogue was finished, and the agent said something in it."""
    return dialogue is not None and any(m.role == "agent" for m in dialogue.messages)
