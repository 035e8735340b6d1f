"""What is measured of a cell beside its arms: shift, and how close the users are to people."""

from __future__ import annotations

from pydantic import Field

from understudy.realism.coherence import CoherenceRow
from understudy.results.record import Figure, Record
from understudy.shift.likelihood import TurnShift
from understudy.shift.two_sample import TwoSample


class ShiftResult(Record):
    """Context shift by arm.

    Attributes:
        curves: contexts of training against those with the judging users, and `null` (theirs in two halves).
        policy: the logs against the arm's agent with the judging users (T=1): what another agent than theirs leads to.
        simulator: the agent with the aligned user against the same with the judging users (tuned decoding): what that user
            leads to. Both are measured for every arm, whatever it was trained on; empty in results of earlier versions.
    """

    family: str
    seed: int
    curves: dict[str, list[TwoSample]]
    policy: dict[str, list[TwoSample]] = Field(default_factory=dict)
    simulator: dict[str, list[TwoSample]] = Field(default_factory=dict)


class HeldOutPerplexity(Record):
    """See `understudy.realism.perplexity.Perplexity`."""

    per_token: float
    tokens: int
    bits_per_character: float


class UsersResult(Record):
    """How close each user comes to people: contradictions, style, and how well it predicts held-out people.

    Attributes:
        reply_shift: by user, total variation from the judging users; only users with likelihoods have one.
        people_heard: as `Language.heard`, of held-out people in the agent's place; where a referee judges.
    """

    family: str
    seed: int
    coherence: dict[str, list[CoherenceRow]]
    style: dict[str, dict[str, Figure]]
    perplexity: dict[str, HeldOutPerplexity]
    reply_shift: dict[str, list[TurnShift]] = Field(default_factory=dict)
    people_heard: Figure | None = None
