"""Haggle: two sides divide books, hats and balls that each values in private (the shape of Deal or No Deal)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from understudy.tasks.base import Check, FinalAct
from understudy.tasks.haggle.coherence import coherence
from understudy.tasks.haggle.history import ending_of, listen
from understudy.tasks.haggle.items import (
    NUMBERS,
    TOTAL,
    best_total,
    is_pareto,
    points,
    price_list,
    rest,
    tables,
    valuations,
)
from understudy.tasks.haggle.population import HagglePopulation, triple
from understudy.tasks.haggle.prompted import prompted_reply
from understudy.tasks.haggle.reading import read
from understudy.tasks.haggle.script import script
from understudy.tasks.population import ReplyDistribution
from understudy.types import Message, Outcome, Task

MOST_TOTAL = 15
"""Most points that the two sides of a task can get together."""


class Haggle:
    """Two sides with private values talk in turns and end in an agreed split or in nothing.

    The reward is the agent's points / 10, in [0, 1]; 0 without an agreement.
    """

    name = "haggle"
    summary = (
        "The user and the agent divide books, hats and balls that each values in private; "
        "the reward is the agent's points / 10, nothing without an agreement."
    )
    reward_name = "points / 10"
    reward_max = 1.0
    max_agent_turns = 7

    def __init__(self) -> None:
        self.population = HagglePopulation()

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        """5 to 7 items, 1 to 3 of each kind, worth 10 points in all to each side; no kind is worthless to both.

        Where tastes differ so much that both sides could have nearly all they want, there is nothing to bargain about:
        such tasks (more than `MOST_TOTAL` points in all) are left out.
        """
        counts = tables()[int(rng.integers(len(tables())))]
        ways = valuations(counts)
        while True:
            agent, user = (ways[int(i)] for i in rng.integers(len(ways), size=2))
            if best_total(counts, agent, user) <= MOST_TOTAL and all(
                a + u > 0 for a, u in zip(agent, user, strict=True)
            ):
                break
        return Task(
            family=self.name,
            id=id,
            agent_prompt=price_list(counts, agent),
            user_prompt=price_list(counts, user),
            goal={"counts": list(counts), "agent_values": list(agent), "user_values": list(user)},
        )

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        """`agreed`, `left` (the user), `agent left`, or None; the rule is `history.ending_of`'s."""
        over = ending_of(triple(task.goal["counts"]), messages)
        return None if over is None else over[0]

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        """Agent's points / 10 if the last message agrees, else 0. Details: user_points; agreed, pareto (0 or 1)."""
        counts = triple(task.goal["counts"])
        agent, user = triple(task.goal["agent_values"]), triple(task.goal["user_values"])
        over = ending_of(counts, messages)
        if ending != "agreed" or over is None or over[1] is None:
            return Outcome(0.0, ending, {"user_points": 0.0, "agreed": 0.0, "pareto": 0.0})
        share = over[1]
        return Outcome(
            points(rest(counts, share), agent) / TOTAL,
            ending,
            {
                "user_points": float(points(share, user)),
                "agreed": 1.0,
                "pareto": float(is_pareto(counts, share, agent, user)),
            },
        )

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        """What the standing offers are worth to the side that is to answer, in points: `asked seven ; offered four`.

        As the interfaces of bargaining studies show it. In words, which no price is. Nobody has to add up, and nothing that
        is said can pretend to another worth.
        """
        counts = triple(task.goal["counts"])
        history = listen(counts, messages)
        if messages[-1].role == "agent":
            values = triple(task.goal["user_values"])
            offered, asked = history.agent_offer, history.user_offer
        else:
            values = triple(task.goal["agent_values"])
            offered, asked = (share and rest(counts, share) for share in (history.user_offer, history.agent_offer))
        parts = (("asked", asked), ("offered", offered))
        return " ; ".join(f"{name} {NUMBERS[points(share, values)]}" for name, share in parts if share is not None)

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        """The agent's last message where an offer of the user stands.

        `forced` is empty: here the act itself (accept, or what to ask for instead) is what is trained.
        """
        positions = [i for i, message in enumerate(messages) if message.role == "agent"]
        if not positions or listen(triple(task.goal["counts"]), messages[: positions[-1]]).user_offer is None:
            return None
        return FinalAct(positions[-1], forced="")

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        """Reward of writing `text` in place of the agent's message at `position`.

        Determined by the log: accepting the user's standing offer gives that offer's points; walking away gives 0; so
        does anything else as the last message that the dialogue had room for; and the very offer that was logged gives
        the logged reward, where the user's logged answer ended the dialogue. Otherwise None.
        """
        counts = triple(task.goal["counts"])
        before = tuple(messages[:position])
        written = (*before, Message("agent", text))
        ending = self.ending(task, written)
        if ending is None and sum(m.role == "agent" for m in written) >= self.max_agent_turns:
            ending = "turns"
        if ending is not None:
            return self.outcome(task, written, ending).reward
        answered = tuple(messages[: position + 2])
        logged = self.ending(task, answered)
        if len(answered) < position + 2 or logged is None:
            return None
        act, logged_act = listen(counts, written).heard[-1], listen(counts, answered).heard[position]
        if act.act.kind != "offer" or act != logged_act:
            return None
        return self.outcome(task, answered, logged).reward

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        """Every occasion for a contradiction by the user (see `coherence.coherence`)."""
        return coherence(triple(task.goal["counts"]), triple(task.goal["user_values"]), messages)

    def act(self, task: Task, message: Message) -> str:
        """The kind of act, and what an offer is worth to its speaker."""
        found = read(message.text, triple(task.goal["counts"]))
        act: str = found.kind
        if found.share is not None:
            act += f" {points(found.share, triple(task.goal[f'{message.role}_values']))}"
        return f"{act}, ends" if message.end else act

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        """The stand-in for a prompted LLM user (see `prompted`)."""
        return prompted_reply(task, messages)

    def script(self, task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
        """The imperfect agent that writes the logs (see `script`)."""
        return script(task, messages, rng)
