"""The imperfect agent that wrote the logs: it settles too early, offers at random or greedily, and repeats itself.

Now and then it does what a good bargainer would do (refuses a middling offer, asks for what it values most and leaves
the rest), so that reinforcement learning can find these acts in a model that was cloned from it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal as OneOf

import numpy as np

from understudy.tasks.grammar import Choice, Concat, Expression, Literal
from understudy.tasks.haggle.history import listen
from understudy.tasks.haggle.items import Triple, points, read_price_list, rest, shares
from understudy.tasks.haggle.offers import AGENT, either, offer
from understudy.types import Message, Task


@dataclass(frozen=True, slots=True)
class Move:
    """What the agent does; `share` is what it claims for itself in an offer."""

    kind: OneOf["accept", "offer", "refuse", "ask"]
    share: Triple | None = None


# Probability of settling for a standing offer, by the points that it gives the agent: too often, too early.
_SETTLES = (0.1, 0.25, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.85, 0.95, 1.0)

_GREEDY = (
    "that is far too little for me ,", "i want more ,", "my side needs a lot here ,", "i have to be tough today ,",
    "let me be bold ,", "here is what i deserve ,",
)  # fmt: skip
_LEADS = (
    "how about this :", "i suggest this ,", "my offer :", "let us say", "what about this ,", "i can offer this ,",
    "then maybe", "i thought about it ,", "to make it simple ,", "alternatively ,", "here is an idea ,", "i would say",
)  # fmt: skip
_REPEATS = ("as i said ,", "my offer stands ,", "once more ,", "i stay with it ,", "still the same ,")
_TAILS = (" , is that okay ?", " , what do you say ?", " , does it suit you ?", " , can we do that ?", " .")
_ACCEPTS = (
    "deal", "ok deal", "i accept", "that works for me", "sounds good", "agreed", "fine , i accept", "yes , deal",
    "good , i take it", "okay , we have a deal", "sure , that works for me", "all right , agreed",
)  # fmt: skip
_REFUSALS = (
    "no , i can not do that", "sorry , that is not enough for me", "i can not accept this",
    "that is too little , try again",
    "no , please improve your offer", "not good enough , can you do better ?", "no , i expected a bit more",
)  # fmt: skip
_ASKS = (
    "which things do you need most ?", "what would you like to have ?", "what matters most to you ?",
    "what is your offer ?", "how would you share them ?", "what do you have in mind ?",
    "which of them could you spare ?",
)  # fmt: skip


_TAIL = Choice([either(_TAILS), Literal("")], [0.15, 0.85])


@lru_cache(maxsize=4096)
def _offers(counts: Triple, values: Triple) -> dict[str, tuple[tuple[Triple, float], ...]]:
    """For each way to make an offer, the shares that it claims with their probabilities."""
    worth = {share: points(share, values) for share in shares(counts)}
    kinds = {
        "random": {s: 1.0 for s, w in worth.items() if w >= 1 and s != counts},
        "greedy": {s: 3.0 if s == counts else 1.0 for s, w in worth.items() if w >= 9},
        # The fewest items for 6 to 8 points: it leaves the other side as much as it can.
        "aware": {s: math.exp(-1.2 * sum(s)) for s, w in worth.items() if 6 <= w <= 8},
    }
    return {
        manner: tuple((s, w / sum(found.values())) for s, w in found.items())
        for manner, found in kinds.items()
        if found
    }


_MANNERS = {"random": 0.26, "greedy": 0.5, "aware": 0.12, "repeat": 0.35}
_REFUSES, _ASKS_BACK = 0.2, 0.06


def moves(task: Task, messages: Sequence[Message]) -> list[tuple[float, str, Move]]:
    """The agent's next move: probability, manner of speaking and move, the probabilities summing to 1."""
    counts, values = read_price_list(task.agent_prompt)
    history = listen(counts, messages)
    result: list[tuple[float, str, Move]] = []
    left = 1.0
    if history.user_offer is not None:
        settles = _SETTLES[points(rest(counts, history.user_offer), values)]
        result.append((settles, "accept", Move("accept")))
        left -= settles
    options = _offers(counts, values)
    repeated = None if history.agent_offer is None else rest(counts, history.agent_offer)
    manners = {m: p for m, p in _MANNERS.items() if m in options or (m == "repeat" and repeated is not None)}
    scale = left / (sum(manners.values()) + _REFUSES + _ASKS_BACK)
    for manner, p in manners.items():
        if manner == "repeat":
            result.append((scale * p, manner, Move("offer", repeated)))
        else:
            result += [(scale * p * q, manner, Move("offer", share)) for share, q in options[manner]]
    result.append((scale * _REFUSES, "refuse", Move("refuse")))
    result.append((scale * _ASKS_BACK, "ask", Move("ask")))
    return result


@lru_cache(maxsize=8192)
def say(counts: Triple, manner: str, move: Move) -> Expression:
    """The agent's words for a move."""
    if move.share is None:
        return either({"accept": _ACCEPTS, "refuse": _REFUSALS, "ask": _ASKS}[move.kind])
    leads = {"greedy": _GREEDY, "repeat": _REPEATS}.get(manner, _LEADS)
    lead = Choice([Concat([either(leads), Literal(" ")]), Literal("")], [0.3, 0.7])
    return Concat([lead, offer(move.share, counts, AGENT, _TAIL)])


def script(task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
    """Write the agent's next message; reads the agent's prompt and what was said, never the goal."""
    weighed = moves(task, messages)
    index = int(np.searchsorted(np.cumsum([p for p, _, _ in weighed]), rng.random(), side="right"))
    _, manner, move = weighed[min(index, len(weighed) - 1)]
    counts, _ = read_price_list(task.agent_prompt)
    return Message("agent", say(counts, manner, move).sample(rng))
