"""What `understudy shift` found."""

from __future__ import annotations

from pydantic import Field

from understudy.results.record import Figure, Record
from understudy.shift.excess import ExcessCrossEntropy
from understudy.shift.likelihood import TurnShift
from understudy.shift.steps import StepShift
from understudy.shift.telling import Telling, TellingContext
from understudy.shift.two_sample import TwoSample
from understudy.shift.verdict import Finding


class StepExample(Record):
    """A logged context, what was said there, and what the speaker says in its place."""

    turn: int
    goal: str
    answered: str
    logged: str
    own: str


class SideShift(Record):
    """One side, one step off the logs (`understudy.shift.steps`): tests, and by turn what tells and where.

    Attributes:
        words: runs of words that the logs and the speaker use with different frequency.
        contexts: runs of words in what is answered, after which the two are told apart most surely.
        examples: those told apart most surely, at the turn with the largest bound.
    """

    points: list[StepShift]
    words: dict[int, list[Telling]]
    contexts: dict[int, list[TellingContext]]
    examples: list[StepExample]


class KnownUsers(Record):
    """What can be computed besides where the real users are a programme.

    Attributes:
        simulated, real: reward of the agent with the user that was measured, and with the real users, same tasks.
        null: real users against themselves, one step off the logs, as `ShiftReport.simulator` compares the user with them.
        contexts: the two compared: what the simulator led to that people would not have.
        delta: total variation of the user's replies from real ones, where the user has a likelihood.
        context_shift: of the contexts, likewise.
        bound: most that the two rewards can differ for these `delta` (in expectation; docs/method.md, 2).
    """

    simulated: Figure
    real: Figure
    reward_name: str
    reward_max: float
    null: list[StepShift]
    contexts: list[TwoSample]
    delta: list[TurnShift]
    context_shift: list[TurnShift]
    bound: float | None


class ShiftReport(Record):
    """What `understudy shift` measured of an agent, a user and logs.

    Attributes:
        policy: the agent against the one in the logs.
        simulator: the user against people.
        contexts: dialogues of the two (positive) against the logs, by turn; the bounds hold for all turns together.
        null: the logs against themselves, in two halves.
        reference: another model of these people, where one was given.
        excess: how much worse than the better of the two the user foretells them, by turn; a heuristic, no bound.
        failed: dialogues of the two that could not be finished, and are left out.
        cpu_seconds: that it took, of all processes.
    """

    agent: str
    user: str
    logs: str
    seed: int
    temperature: float
    dialogues: int
    persons: int
    policy: SideShift
    simulator: SideShift
    contexts: list[TwoSample]
    null: list[TwoSample]
    known: KnownUsers | None
    reference: str | None = None
    excess: list[ExcessCrossEntropy] = Field(default_factory=list)
    verdict: list[Finding]
    failed: int
    cpu_seconds: float
