"""How a negotiation ends, and what it earns: the fixed rules of the closing."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.tasks.base import Check, FinalAct
from understudy.tasks.negotiate.items import (
    FULL_VALUE,
    SELECTION,
    Scenario,
    Selection,
    compatible,
    first_selection,
    is_pareto,
    points,
    read_selection,
)
from understudy.types import Message, Outcome

AGREED, MISMATCH, NO_DEAL_ENDING = "agreed", "mismatch", "no deal"

MALFORMED = "writes a malformed selection"
TOO_MANY = "selects more items than there are"


def ending(scenario: Scenario, messages: Sequence[Message]) -> str | None:
    """`agreed`, `mismatch` or `no deal` once a selection was answered, whatever the answer; None before."""
    pair = selections(messages)
    if pair is None:
        return None
    one, other = pair
    if other is None:
        return MISMATCH
    if one.no_deal or other.no_deal:
        return NO_DEAL_ENDING
    return AGREED if compatible(one, other, scenario.counts) else MISMATCH


def selections(messages: Sequence[Message]) -> tuple[Selection, Selection | None] | None:
    """The first selection and its answer (None in its place if that is no selection); None while it is unanswered."""
    index = first_selection(messages)
    if index is None or index + 1 >= len(messages):
        return None
    first = read_selection(messages[index].text)
    assert first is not None
    return first, read_selection(messages[index + 1].text)


def outcome(scenario: Scenario, messages: Sequence[Message], ending: str) -> Outcome:
    """Reward: the agent's points / 10 if agreed, else 0.

    Details: `user_points` in [0, 10], `agreed` 0 or 1, `pareto` 0 or 1: whether no other division would have given one
    side more and the other no less (0 without an agreement: any division is better than nothing).
    """
    index = first_selection(messages)
    if ending != AGREED or index is None:
        return Outcome(0.0, ending, {"user_points": 0.0, "agreed": 0.0, "pareto": 0.0})
    takes = {message.role: read_selection(message.text) for message in messages[index : index + 2]}
    agent, user = takes["agent"], takes["user"]
    assert agent is not None
    assert user is not None
    assert agent.takes is not None
    assert user.takes is not None
    details = {
        "user_points": float(points(user.takes, scenario.other_values)),
        "agreed": 1.0,
        "pareto": float(is_pareto(agent.takes, scenario)),
    }
    return Outcome(points(agent.takes, scenario.values) / FULL_VALUE, ending, details)


def final_act(messages: Sequence[Message]) -> FinalAct | None:
    """The agent's logged selection, if the user's logged selection names items; else None.

    The user's logged selection is taken as fixed, whoever selected first: both sides choose in private. Where the user
    chose no deal, every selection earns 0, and there is nothing to learn.
    """
    pair = selections(messages)
    index = first_selection(messages)
    if pair is None or index is None or pair[1] is None:
        return None
    agent_first = messages[index].role == "agent"
    user = pair[1] if agent_first else pair[0]
    return FinalAct(index if agent_first else index + 1, SELECTION) if user.takes is not None else None


def final_act_reward(scenario: Scenario, messages: Sequence[Message], position: int, text: str) -> float | None:
    """The agent's points / 10 for `text` as its selection if it fits the user's logged one, else 0."""
    act, pair = final_act(messages), selections(messages)
    if act is None or pair is None or act.position != position:
        return None
    user = pair[1] if position == first_selection(messages) else pair[0]
    mine = read_selection(text)
    if mine is None or mine.takes is None or not compatible(mine, user, scenario.counts):
        return 0.0
    return points(mine.takes, scenario.values) / FULL_VALUE


def coherence(scenario: Scenario, messages: Sequence[Message]) -> list[Check]:
    """What a fixed rule can tell of the user's selection, its form and its arithmetic.

    Whether it keeps to what was said before needs a reader of free English.
    """
    checks: list[Check] = []
    for message in messages:
        mine = read_selection(message.text) if message.role == "user" else None
        if mine is not None:
            checks.append(Check(MALFORMED, mine.malformed))
            if mine.takes is not None:
                too_many = any(number > count for number, count in zip(mine.takes, scenario.counts, strict=True))
                checks.append(Check(TOO_MANY, too_many))
    return checks
