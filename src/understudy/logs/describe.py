"""What is in a file of logs, in figures that need one pass and little memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from understudy.errors import LogError
from understudy.logs.conversation import Conversation
from understudy.logs.formats.deal_or_no_deal import points_of
from understudy.stats import Interval, binomial_interval

SIDES = ("user", "assistant")
MIN_AT_RISK = 10
"""Fewest conversations that must have reached a turn for its stop hazard to be told."""


@dataclass
class Description:
    """Counts of a file of logs.

    Attributes:
        conversations: all of them.
        by_person: conversations of each known person.
        openers, closers: conversations by who says the first and the last word (system messages aside).
        turns: conversations by the number of the user's messages.
        words: messages by their number of words (split at blanks), for each side.
        vocabulary: how often each word occurs, case ignored, for each side.
        tool_messages: messages that are answers of tools.
        endings: conversations by their known ending.
        rewards: conversations by their known reward.
        points: negotiations by their known points (see `points_of`), for each side.
        deals: negotiations among these that end in a deal.
    """

    conversations: int = 0
    by_person: Counter[str] = field(default_factory=Counter)
    openers: Counter[str] = field(default_factory=Counter)
    closers: Counter[str] = field(default_factory=Counter)
    turns: Counter[int] = field(default_factory=Counter)
    words: dict[str, Counter[int]] = field(default_factory=lambda: {side: Counter() for side in SIDES})
    vocabulary: dict[str, Counter[str]] = field(default_factory=lambda: {side: Counter() for side in SIDES})
    tool_messages: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    rewards: Counter[float] = field(default_factory=Counter)
    points: dict[str, Counter[int]] = field(default_factory=lambda: {side: Counter() for side in SIDES})
    deals: int = 0

    def stop_hazard(self) -> dict[int, Interval]:
        """P(the user's k-th message is its last | it wrote k), by k from 1, with Wilson's 95% interval.

        What a simulated user must get right to leave when people do. Up to the last turn that `MIN_AT_RISK` reached.
        """
        hazards, reached = {}, self.conversations - self.turns[0]
        for turn in range(1, max(self.turns, default=0) + 1):
            if reached < MIN_AT_RISK:
                break
            hazards[turn] = binomial_interval(self.turns[turn], reached)
            reached -= self.turns[turn]
        return hazards

    @property
    def mean_reward(self) -> float | None:
        """None where no outcome is known."""
        known = self.rewards.total()
        return sum(reward * n for reward, n in self.rewards.items()) / known if known else None


def describe(
    conversations: Iterable[Conversation], on_conversation: Callable[[int], None] = lambda count: None
) -> Description:
    """Count what is there.

    Raises:
        LogError: if there is no conversation.
    """
    found = Description()
    for conversation in conversations:
        _count(found, conversation)
        on_conversation(found.conversations)
    if not found.conversations:
        raise LogError("there is no conversation in it", fix="give a file that `understudy logs import` wrote")
    return found


def quantile(counts: Mapping[int, int], share: float) -> int:
    """The smallest value that at least this share of the counted things do not exceed; `counts` is not empty."""
    total, below = sum(counts.values()), 0
    for value in sorted(counts):
        below += counts[value]
        if below >= share * total:
            return value
    return max(counts)


def mean(counts: Mapping[int, int]) -> float:
    """Mean of the counted values; `counts` is not empty."""
    return sum(value * n for value, n in counts.items()) / sum(counts.values())


def _count(found: Description, conversation: Conversation) -> None:
    spoken = [turn for turn in conversation.turns if turn.role in SIDES]
    found.conversations += 1
    if conversation.person is not None:
        found.by_person[conversation.person] += 1
    if spoken:
        found.openers[spoken[0].role] += 1
        found.closers[spoken[-1].role] += 1
    found.turns[sum(turn.role == "user" for turn in spoken)] += 1
    for turn in spoken:
        words = turn.text.lower().split()
        found.words[turn.role][len(words)] += 1
        found.vocabulary[turn.role].update(words)
    found.tool_messages += sum(turn.role == "tool" for turn in conversation.turns)
    points = points_of(conversation.extra)
    if points is not None:
        found.deals += conversation.extra.get("ending") == "agreed"
        for side, reached in zip(SIDES, points, strict=True):
            found.points[side][reached] += 1
    outcome = conversation.extra.get("outcome")
    known = outcome if isinstance(outcome, Mapping) else conversation.extra
    if isinstance(known.get("ending"), str):
        found.endings[known["ending"]] += 1
    if isinstance(known.get("reward"), int | float) and not isinstance(known.get("reward"), bool):
        found.rewards[float(known["reward"])] += 1
