"""How interactive an agent is, as an LLM judges whole dialogues (the interactivity metric of CollabLLM)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib import resources

from understudy.config import InteractivityConfig
from understudy.endpoint.answers import AnswerStore
from understudy.endpoint.client import EndpointClient, Question
from understudy.endpoint.prompt import load_prompt
from understudy.results import Figure, Interactivity
from understudy.runs import stream
from understudy.speaker import Failure
from understudy.stats import bootstrap_interval
from understudy.types import Dialogue, Message

_NAMES = {"agent": "assistant", "user": "user"}
_FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


class InteractivityJudge:
    """Asks an LLM for one score per dialogue, from 0 (does not engage) to 1 (works with the user).

    Source: CollabLLM (Wu et al. 2025, arXiv 2502.00640), which has an LLM judge score the interactivity of whole conversations;
    the prompt is ours. The judge reads what the two sides were given of each other's words: no prompt, no goal, no reward.
    An answer without a score that can be read is asked for again, then counted as missing. Every score is kept in `store`.

    Args:
        config: model, prompt, limits and prices.
        store: of answers; of its own, so that its cost is known by itself.

    Raises:
        ConfigError: if the `openai` package, the key or the prompt file is missing.
    """

    def __init__(self, config: InteractivityConfig, store: AnswerStore) -> None:
        self.client = EndpointClient(config, store)
        own = resources.files("understudy.evaluate") / "prompts" / "interactivity.jinja"
        self._prompt = load_prompt(config.prompt, own, messages=[{"role": "user", "text": ""}])

    def scores(self, dialogues: Sequence[Dialogue]) -> list[float | Failure]:
        """One per dialogue, in [0, 1], or why there is none.

        Raises:
            BudgetSpent: if tokens or money are used up; the scores so far are kept.
        """
        return self.client.ask([self._question(dialogue) for dialogue in dialogues], read_score)

    def _question(self, dialogue: Dialogue) -> Question:
        messages = [{"role": _NAMES[m.role], "text": _heard(m)} for m in dialogue.messages]
        return Question([{"role": "user", "content": self._prompt.render(messages=messages)}], seed=0)


def read_score(answer: str) -> float:
    """The score in a judge's answer: one JSON object, bare or fenced, whose `interactivity` is a number in [0, 1].

    Raises:
        ValueError: if it is anything else; nothing is guessed or clipped.
    """
    fenced = _FENCED.fullmatch(answer.strip())
    try:
        value = json.loads(fenced[1] if fenced else answer)
    except ValueError as error:
        raise ValueError(f"it is no JSON ({error})") from None
    score = value.get("interactivity") if isinstance(value, dict) else None
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise ValueError(f"its interactivity is {score!r}, not a number from 0 to 1")
    return float(score)


def interactivity(scores: Sequence[float | Failure], seed: int) -> Interactivity:
    """Their mean with its 95% bootstrap interval over dialogues; those that are missing are left out and counted."""
    found = [score for score in scores if not isinstance(score, Failure)]
    missing = len(scores) - len(found)
    if not found:
        return Interactivity(score=None, n=0, missing=missing)
    interval = bootstrap_interval(found, stream(seed, "interactivity"))
    figure = Figure(mean=interval.mean, low=interval.low, high=interval.high)
    return Interactivity(score=figure, n=len(found), missing=missing)


def _heard(message: Message) -> str:
    """What the other side was given, on one line, and whether it was the end."""
    words = " ".join(message.heard.split())
    return f"{words} (ends the conversation)".strip() if message.end else words
