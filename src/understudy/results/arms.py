"""How an arm was judged, and what it took."""

from __future__ import annotations

from pydantic import Field

from understudy.results.record import Figure, Record
from understudy.shift.likelihood import TurnShift
from understudy.shift.two_sample import TwoSample

PROGRAMME = "the task's programme"
"""`ArmResult.judge_label` of the population where the logs are of people, who are not it."""


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
    endings: dict[str, int] = Field(default_factory=dict)
    details: dict[str, float] = Field(default_factory=dict)
    interaction: Interaction | None = None


class Cost(Record):
    """What an arm used.

    Attributes:
        optimizer_steps: of RL.
        sampled_dialogues: of RL, logged ones with a message rewritten included; None in results of earlier versions.
        cpu_seconds: of its own training and of fitting its training user; where it was trained on, of all agents and
            users before as well. The base's SFT, which all share, is not in it.
        real_dialogues: logs behind its models and its contexts, and rollouts with those who wrote them.
    """

    optimizer_steps: int
    sampled_agent_messages: int
    sampled_tokens: int
    cpu_seconds: float
    real_dialogues: int
    sampled_dialogues: int | None = None


class Language(Record):
    """Whether an agent still speaks like people (judged by a referee, whose models have learned to listen to people).

    Attributes:
        heard: by decoding, perplexity per word token of what the agent says, as the referee hears it, where it says a word.
        of_people: the agent's own perplexity per token on held-out people in its place.
    """

    heard: dict[str, Figure]
    of_people: float


class Further(Record):
    """What an arm was gone on with.

    Attributes:
        rounds: of further training, from 1.
        realigned: whether the user was aligned again before each, on people's dialogues with the agent as it was by then; false
            for the control, which trains on with the same user.
        contexts: by turn, the agent's contexts with the last round's training user against those with the judging users (T=1).
    """

    rounds: int
    realigned: bool
    contexts: list[TwoSample]


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
        further: of an agent that was trained on beyond its arm.
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
    further: Further | None = None
    language: Language | None = None
    from_base: dict[str, list[TurnShift]] = Field(default_factory=dict)


class InteractivityResult(Record):
    """Each arm's interactivity with the judging users at tuned decoding, on the same tasks; `judge` is the LLM's name."""

    family: str
    seed: int
    judge: str
    arms: dict[str, Interactivity]
