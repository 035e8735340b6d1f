"""Whether agents still speak like people, as the referee hears it: language drift under RL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from understudy.pipeline.cell import REFEREE, Cell
from understudy.realism.perplexity import heard_perplexity, held_out_perplexity
from understudy.results import Figure, Language, Score
from understudy.scheduler import StageContext
from understudy.types import Dialogue, Message


def agent_language(
    context: StageContext,
    cell: Cell,
    agent_stage: str,
    decoding: Mapping[str, Score],
    spoken: Mapping[float, Sequence[Dialogue]],
) -> Language:
    """What the referee makes of the agent's words by decoding, and what the agent makes of held-out people's.

    Args:
        spoken: the judged dialogues by temperature.
    """
    agent = cell.load_agent(agent_stage, context)
    heard = {temperature: _heard(context, cell, dialogues) for temperature, dialogues in spoken.items()}
    return Language(
        heard={name: found for name, s in decoding.items() if (found := heard[s.temperature]) is not None},
        of_people=held_out_perplexity([agent], "agent", cell.held_out_people(context)).per_token,
    )


def people_heard(context: StageContext, cell: Cell) -> Figure | None:
    """The same of held-out people in the agent's place: what speaking like people gives."""
    return _heard(context, cell, cell.held_out_people(context))


def _heard(context: StageContext, cell: Cell, dialogues: Sequence[Dialogue]) -> Figure | None:
    referee = cell.load_user(REFEREE, context)
    assert referee is not None  # it is a model wherever there is one
    found = heard_perplexity(referee, "user", dialogues, seed=cell.seed_of("language"), include=_said_aloud)
    if found is None:  # an agent may select without a word
        return None
    return Figure(mean=found.mean, low=found.low, high=found.high)


def _said_aloud(message: Message) -> bool:
    """Whether the other side was given the words; what is chosen in private is no language."""
    return message.public is None
