"""What judging and measuring write and the report reads: one `result.json` per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from understudy.realism.coherence import CoherenceRow
from understudy.shift.likelihood import TurnShift
from understudy.shift.steps import StepShift
from understudy.shift.telling import Telling, TellingContext
from understudy.shift.two_sample import TwoSample
from understudy.shift.verdict import Finding
from understudy.types import Dialogue


class Record(BaseModel):
    """A frozen record with a JSON form; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def to_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return cls.model_validate(value)


class Figure(Record):
    """A mean with its 95% interval."""

    mean: float
    low: float
    high: float


class Interaction(Record):
    """What the user has to go through, per dialogue: means with their 95% bootstrap intervals over dialogues.

    Attributes:
        turns: messages of the agent.
        words: in them, split at spaces.
        tokens: that the agent sampled, ends of messages included; None where the agent is no model.
    """

    turns: Figure
    words: Figure
    tokens: Figure | None


class Interactivity(Record):
    """How interactive an LLM judges an agent to be, from 0 to 1.

    Attributes:
        score: None where there is none at all.
        n: dialogues that have a score.
        missing: dialogues for which the judge gave none that could be read; they are left out.
    """

    score: Figure | None
    n: int
    missing: int


class Score(Record):
    """Dialogues of one agent with one user at one decoding temperature.

    Attributes:
        temperature: 0 is greedy.
        reward: mean over dialogues; `low` and `high` are its 95% bootstrap interval over dialogues.
        n: finished dialogues; `failed` ones are left out.
        turns: mean number of agent messages.
        walked_out_share: share of dialogues that the user left.
        endings: dialogues by ending.
        details: means of the family's further figures (for example `user_points`).
        interaction: None in results of earlier versions.
    """

    temperature: float
    reward: float
    low: float
    high: float
    n: int
    turns: float
    walked_out_share: float
    failed: int = 0
    endings: dict[str, int] = {}
    details: dict[str, float] = {}
    interaction: Interaction | None = None


class Cost(Record):
    """What an arm used.

    Attributes:
        optimizer_steps: of RL.
        cpu_seconds: of its own training and of fitting its training user; the base's SFT, which all share, is not in it.
        real_dialogues: logs behind its models, and rollouts with real users.
    """

    optimizer_steps: int
    sampled_agent_messages: int
    sampled_tokens: int
    cpu_seconds: float
    real_dialogues: int


class Language(Record):
    """Whether an agent still speaks like people (judged by a referee, whose models have learned to listen to people).

    Attributes:
        heard: by decoding, perplexity per word token of what the agent says, as the referee hears it, where it says a word.
        of_people: the agent's own perplexity per token on held-out people in its place.
    """

    heard: dict[str, Figure]
    of_people: float


class ArmResult(Record):
    """One arm of one family and seed, judged.

    Attributes:
        decoding: by `T=1`, `tuned`, `greedy`: with the real users (or the referee that stands for them).
        tuned_temperature: chosen on validation tasks with the arm's own training user.
        training_user: who answered the policy in training; None where nobody did.
        training_reward: mean over the last steps of training.
        reward_with_training_user: the final agent at T=1 with the user it was trained with.
        agent_x_user: the tuned agent with each user.
        severity: of the stand-in's failings where it was the training user.
        log_size: dialogues that the aligned user was fitted on, in the sweep over log sizes.
        judge_label: who judged, in words.
        language: where a referee judged.
        from_base: total variation from the base agent by turn, of whole `messages` and of the next of their `tokens`, in the
            agent's own contexts with the judging users (T=1): `eps_t` against the base, which stands for the logs' agent.
    """

    family: str
    seed: int
    arm: str
    decoding: dict[str, Score]
    tuned_temperature: float
    training_user: str | None
    training_reward: float | None
    reward_with_training_user: Score | None
    cost: Cost
    agent_x_user: dict[str, Score]
    judge_label: str
    reward_name: str
    reward_max: float
    severity: float | None = None
    log_size: int | None = None
    language: Language | None = None
    from_base: dict[str, list[TurnShift]] = {}


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
    policy: dict[str, list[TwoSample]] = {}
    simulator: dict[str, list[TwoSample]] = {}


class InteractivityResult(Record):
    """Each arm's interactivity with the judging users at tuned decoding, on the same tasks; `judge` is the LLM's name."""

    family: str
    seed: int
    judge: str
    arms: dict[str, Interactivity]


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
    reply_shift: dict[str, list[TurnShift]] = {}
    people_heard: Figure | None = None


class Line(Record):
    """One message of a transcript."""

    role: str
    text: str
    end: bool
    shown: str = ""


class TranscriptColumn(Record):
    """One arm's dialogue on a task."""

    arm: str
    messages: list[Line]
    reward: float
    ending: str

    @classmethod
    def of(cls, arm: str, dialogue: Dialogue) -> TranscriptColumn:
        return cls(
            arm=arm,
            messages=[Line(role=m.role, text=m.text, end=m.end, shown=m.shown) for m in dialogue.messages],
            reward=dialogue.outcome.reward,
            ending=dialogue.outcome.ending,
        )


class Transcript(Record):
    """The same task with the same person in every arm."""

    goal: str
    columns: list[TranscriptColumn]


class TranscriptsResult(Record):
    """A few transcripts of one family and seed, chosen by their place in the list, not by their reward."""

    family: str
    seed: int
    judge_label: str
    transcripts: Sequence[Transcript]


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
    verdict: list[Finding]
    failed: int
    cpu_seconds: float


class ReplyEffect(Record):
    """What the simulated user's replies of one turn do to the agent's reward.

    Attributes:
        turn: messages that the user had written before.
        reached: share of dialogues with real users that come to such a reply; `reached_simulated` with the simulated one.
        replies: logged ones that were taken up.
        difference: reward after people's replies less reward after the user's, over the contexts that the agent comes to.
        noise: standard deviation of `difference` by sampling.
        extrapolation: what it has besides, as the agent comes to contexts that the logs do not have, or that look alike
            to the user's model and are not.
        covered: 1 where these contexts are among the logged ones, 0 where the logs say nothing of them.
    """

    turn: int
    reached: float
    reached_simulated: float
    replies: int
    difference: float
    noise: float
    extrapolation: float
    covered: float


class Foretold(Record):
    """A reward with real users before any has met the agent.

    Attributes:
        mean: between 0 and `reward_max`; `low` and `high` bound its interval at `level`.
        effects: by turn, as far as the logs show enough replies.
        unseen_from: the first turn at which they do not, though dialogues come to it; `unseen_share` is their share.
    """

    level: float
    mean: float
    low: float
    high: float
    reward_max: float
    effects: list[ReplyEffect]
    unseen_from: int | None
    unseen_share: float


class ForecastReport(Record):
    """What `understudy forecast` found of an agent, a user and logs.

    Attributes:
        dialogues: logged ones.
        simulated: reward of the agent with the user; `simulated_dialogues` were held.
        logged: reward of the agent in the logs.
        real: reward with the real users on the same tasks, where they are a programme.
        advice: what it means, in a sentence.
        failed: dialogues that could not be finished, and are left out: simulated ones, and those taken up.
        cpu_seconds: that it took, of all processes.
    """

    agent: str
    user: str
    logs: str
    seed: int
    temperature: float
    dialogues: int
    simulated_dialogues: int
    reward_name: str
    simulated: Figure
    foretold: Foretold
    logged: Figure
    real: Figure | None
    advice: str
    failed: int
    cpu_seconds: float
