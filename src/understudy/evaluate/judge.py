"""Judge an agent with a user: fixed appointments, so that every agent meets the same people with the same tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from understudy.all_failed import all_failed
from understudy.converse import Appointment, Conversations, converse
from understudy.models.speaker import ModelSpeaker
from understudy.results import Figure, Interaction, Score
from understudy.runs import stream, stream_seed
from understudy.speaker import Speaker
from understudy.stats import bootstrap_interval
from understudy.tasks.base import TaskFamily
from understudy.tasks.heldout import draw_task
from understudy.types import WALK_OUTS, Trace


def appointments(
    family: TaskFamily, count: int, seed: int, purpose: str, *, held_out: bool | None
) -> list[Appointment]:
    """`count` tasks with persons of their own; another `purpose` gives other tasks, persons and dialogue seeds.

    Args:
        held_out: see `draw_task`.
    """
    result = []
    for key in range(count):
        name = f"{purpose}-{key}"
        task = draw_task(family, stream(seed, "task", name), name, held_out=held_out)
        result.append(Appointment(key, task, f"{name}-{seed}", stream_seed(seed, "dialogue", name)))
    return result


def hold(
    family: TaskFamily,
    agent: ModelSpeaker,
    user: Speaker,
    meetings: Sequence[Appointment],
    temperature: float,
    *,
    width: int,
    on_finished: Callable[[int], None] | None = None,
) -> Conversations:
    """All dialogues of one agent with one user at one decoding temperature (0 is greedy)."""
    agent.temperature = temperature
    return converse(family, meetings, agent, user, width=width, on_finished=on_finished)


def score(held: Conversations, temperature: float, seed: int) -> Score:
    """Mean reward with a 95% bootstrap interval over dialogues; failed dialogues are left out and counted.

    Raises:
        UnderstudyError: if every dialogue failed.
    """
    dialogues = held.dialogues
    _refuse_none(held)
    rewards = np.array([d.outcome.reward for d in dialogues])
    interval = bootstrap_interval(rewards, stream(seed, "bootstrap"))
    endings: dict[str, int] = {}
    details: dict[str, list[float]] = {}
    for d in dialogues:
        endings[d.outcome.ending] = endings.get(d.outcome.ending, 0) + 1
        for name, value in d.outcome.details.items():
            details.setdefault(name, []).append(value)
    return Score(
        temperature=temperature,
        reward=interval.mean,
        low=interval.low,
        high=interval.high,
        n=len(dialogues),
        turns=float(np.mean([sum(m.role == "agent" for m in d.messages) for d in dialogues])),
        walked_out_share=sum(endings.get(ending, 0) for ending in WALK_OUTS) / len(dialogues),
        failed=len(held.failures),
        endings=endings,
        details={name: float(np.mean(values)) for name, values in details.items()},
        interaction=_interaction(held.traces, seed),
    )


def _interaction(traces: Sequence[Trace], seed: int) -> Interaction:
    """The general metrics of CollabLLM (Wu et al. 2025, arXiv 2502.00640): the agent's turns, and how much there is to read."""
    said = [[m.text for m in trace.dialogue.messages if m.role == "agent"] for trace in traces]
    # An agent that never came to speak has no record, and sampled nothing.
    modelled = all(trace.agent is not None or not texts for trace, texts in zip(traces, said, strict=True))
    return Interaction(
        turns=_figure([len(texts) for texts in said], seed, "turns"),
        words=_figure([sum(len(text.split()) for text in texts) for texts in said], seed, "words"),
        tokens=_figure([sum(t.agent.sampled) if t.agent else 0 for t in traces], seed, "tokens") if modelled else None,
    )


def _figure(values: Sequence[float], seed: int, name: str) -> Figure:
    interval = bootstrap_interval(values, stream(seed, "interaction", name))
    return Figure(mean=interval.mean, low=interval.low, high=interval.high)


def tune_temperature(
    family: TaskFamily,
    agent: ModelSpeaker,
    user: Speaker,
    meetings: Sequence[Appointment],
    temperatures: Sequence[float],
    *,
    width: int,
) -> tuple[float, dict[float, float]]:
    """The temperature with the highest mean reward with the agent's own training user, and the mean at each.

    Raises:
        UnderstudyError: if every dialogue failed at one of them.
    """
    means = {}
    for temperature in temperatures:
        held = hold(family, agent, user, meetings, temperature, width=width)
        _refuse_none(held)
        means[temperature] = float(np.mean([d.outcome.reward for d in held.dialogues]))
    return max(means, key=lambda t: means[t]), means


def _refuse_none(held: Conversations) -> None:
    if not held.traces:
        raise all_failed(held.failures, "judging")
