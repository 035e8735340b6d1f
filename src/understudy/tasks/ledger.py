"""A laboratory task: keep a count right while a user dictates changes. Each turn is rewarded, and an error lasts.

It is no benchmark of conversation, but where the theory can be held against trained models (Theorem 3.1 of arXiv
2605.26403, with rewards per turn): whoever takes the last count over, as a small model does, is wrong from its first error
on, until another one happens to cancel it. `Ledger2` to `Ledger16` differ in the number of turns alone; named as
`understudy.tasks.ledger:Ledger8`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from understudy.tasks.base import Check, FinalAct
from understudy.tasks.grammar import Choice, Expression, Literal
from understudy.tasks.population import Option, Population, ReplyDistribution
from understudy.types import Message, Outcome, Task

NUMBERS = {1: "one", 2: "two", 3: "three"}
CHANGES = (-3, -2, -1, 1, 2, 3)
LOWEST, HIGHEST = 0, 9
FORCED = "now"
AGENT_PROMPT = "keep the count . it stands at {} ."
USER_PROMPT = "you dictate changes . first {}"
OTHER_CHANGE = "dictates another change"
_SLIP, _SLIP_OF_SHORT = 0.08, 0.2
"""How often the clerk of the logs gets a change wrong, and one that is told by what was said before."""


def in_words(change: int) -> str:
    """`add two`, `take one`."""
    return f"{'add' if change > 0 else 'take'} {NUMBERS[abs(change)]}"


def read_change(text: str, before: int | None) -> int | None:
    """The change that a user's message dictates, by a fixed rule; None if there is none.

    Args:
        before: the change dictated before, which `same again` and `undo that` speak of.
    """
    words = set(re.findall("[a-z]+", text.lower()))
    if before is not None and words & {"same", "undo"}:
        return before if "same" in words else -before
    size = next((n for n, word in NUMBERS.items() if word in words), 2 if "couple" in words else None)
    if size is None or not words & {"add", "more", "take", "less", "drop", "away"}:
        return None
    return size if words & {"add", "more"} else -size


def read_count(text: str) -> int | None:
    """The count that an agent's message gives: the last number in it; None if there is none."""
    found = re.findall(r"\d+", text)
    return int(found[-1]) if found else None


def dictated(messages: Sequence[Message]) -> list[int | None]:
    """The change that each of the user's messages dictates."""
    changes: list[int | None] = []
    for message in messages:
        if message.role == "user":
            changes.append(read_change(message.text, changes[-1] if changes else None))
    return changes


def counts_of(task: Task) -> list[int]:
    """The true count after each change of the goal."""
    return list(accumulate(task.goal["changes"], initial=task.goal["start"]))[1:]


@dataclass(frozen=True, slots=True)
class Habit:
    """How somebody dictates: how often in plain words, and how often by what was said before where that is shorter."""

    plain: float
    short: float


class People(Population):
    """Nobody leaves, nobody corrects; they differ in how they put a change."""

    def personas(self) -> Sequence[tuple[Habit, float]]:
        return ((Habit(0.7, 0.2), 0.4), (Habit(0.3, 0.6), 0.4), (Habit(0.1, 0.9), 0.2))

    def reply(self, task: Task, messages: Sequence[Message], persona: Habit) -> ReplyDistribution:
        changes = task.goal["changes"]
        turn = sum(m.role == "user" for m in messages)
        change, before = changes[min(turn, len(changes) - 1)], changes[turn - 1] if turn else None
        short = "same again" if change == before else "undo that" if before == -change else None
        shortly = persona.short if short else 0.0
        options = [
            Option(
                (1 - shortly) * persona.plain,
                Choice([Literal(in_words(change)), Literal(f"{in_words(change)} please")]),
            ),
            Option((1 - shortly) * (1 - persona.plain), _colloquial(change)),
        ]
        if short:
            options.append(Option(shortly, Choice([Literal(short), Literal(f"{short} please")])))
        return ReplyDistribution(options)


def _colloquial(change: int) -> Expression:
    number = NUMBERS[abs(change)]
    if abs(change) == 2:
        number = "a couple"
    texts = (
        (f"{number} more", f"and {number} more")
        if change > 0
        else (f"{number} less", f"drop {number}", f"{number} away")
    )
    return Choice([Literal(text) for text in texts])


class Ledger:
    """The user dictates one change of a count per turn, the agent says how it stands."""

    name = "ledger"
    summary = (
        "The user dictates changes of a count, the agent says after each how it stands; "
        "reward: the turns at which it is right."
    )
    reward_name = "turns right"
    max_agent_turns = 8
    population: Population = People()

    @property
    def reward_max(self) -> float:
        return float(self.max_agent_turns)

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        """A start and changes that keep the count between 0 and 9."""
        start = count = int(rng.integers(3, 7))
        changes: list[int] = []
        for _ in range(self.max_agent_turns):
            possible = [c for c in CHANGES if LOWEST <= count + c <= HIGHEST]
            change = possible[int(rng.integers(len(possible)))]
            # Often enough the same or the opposite, so that there is something to refer to.
            if changes and rng.random() < 0.4:
                again = changes[-1] if rng.random() < 0.5 else -changes[-1]
                change = again if again in possible else change
            changes.append(change)
            count += change
        goal = {"start": start, "changes": changes}
        return Task(self.name, id, AGENT_PROMPT.format(start), USER_PROMPT.format(in_words(changes[0])), goal)

    def ending(self, task: Task, messages: Sequence[Message]) -> str | None:
        """Nothing ends it but the number of turns."""
        return None

    def outcome(self, task: Task, messages: Sequence[Message], ending: str) -> Outcome:
        """One for each turn at which the agent's count is the true one; turns that were not reached earn nothing."""
        said = [read_count(m.text) for m in messages if m.role == "agent"]
        right = tuple(float(a == b) for a, b in zip(said, counts_of(task), strict=False))
        return Outcome(sum(right), ending, turn_rewards=right)

    def shown(self, task: Task, messages: Sequence[Message]) -> str:
        """To the user, the change that it has to dictate next."""
        turn = sum(m.role == "user" for m in messages)
        changes = task.goal["changes"]
        return f"next {in_words(changes[turn])}" if messages[-1].role == "agent" and turn < len(changes) else ""

    def final_act(self, task: Task, messages: Sequence[Message]) -> FinalAct | None:
        """One of the agent's messages, any turn being as likely: with a reward per turn the log determines each one's."""
        positions = [i for i, m in enumerate(messages) if m.role == "agent"]
        return FinalAct(positions[zlib.crc32(task.id.encode()) % len(positions)], FORCED) if positions else None

    def final_act_reward(self, task: Task, messages: Sequence[Message], position: int, text: str) -> float | None:
        """1 if `text` gives the true count at that turn, else 0."""
        if not (0 <= position < len(messages) and messages[position].role == "agent"):
            return None
        turn = sum(m.role == "agent" for m in messages[:position])
        return float(read_count(text) == counts_of(task)[turn])

    def coherence(self, task: Task, messages: Sequence[Message]) -> list[Check]:
        """Whether the user dictates the changes of its goal."""
        return [
            Check(OTHER_CHANGE, said != change)
            for said, change in zip(dictated(messages), task.goal["changes"], strict=False)
        ]

    def act(self, task: Task, message: Message) -> str:
        """The change or the count, whatever the wording; what refers to an earlier message is not resolved."""
        if message.role == "agent":
            return f"count {read_count(message.text)}"
        change = read_change(message.text, None)
        return in_words(change) if change is not None else "refers back"

    def prompted_reply(self, task: Task, messages: Sequence[Message]) -> ReplyDistribution:
        """The stand-in: one plain form, which never refers to what was said."""
        changes = task.goal["changes"]
        change = changes[min(sum(m.role == "user" for m in messages), len(changes) - 1)]
        return ReplyDistribution([Option(1.0, Literal(f"{in_words(change)} please"))])

    def script(self, task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
        """A clerk who takes its own last count over, and mishears some changes."""
        own = [read_count(m.text) for m in messages if m.role == "agent"]
        start = read_count(task.agent_prompt)
        last = own[-1] if own and own[-1] is not None else start
        heard = dictated(messages)
        change = heard[-1] or 0
        before = heard[-2] if len(heard) > 1 else None
        short = read_change(messages[-1].text, None) is None and before is not None
        if rng.random() < (_SLIP_OF_SHORT if short else _SLIP):
            others = [other for other in CHANGES if other != change]
            change = others[int(rng.integers(len(others)))]
        count = min(HIGHEST, max(LOWEST, (last or 0) + change))
        return Message("agent", f"{FORCED} {count}")


class Ledger2(Ledger):
    """Two turns."""

    max_agent_turns = 2


class Ledger4(Ledger):
    """Four turns."""

    max_agent_turns = 4


class Ledger8(Ledger):
    """Eight turns."""


class Ledger16(Ledger):
    """Sixteen turns."""

    max_agent_turns = 16
