"""What `understudy forecast` found."""

from __future__ import annotations

from understudy.results.record import Figure, Record


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
