"""Where a user can contradict its own values or what it said before, told from the words alone."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.tasks.base import Check
from understudy.tasks.haggle.history import listen
from understudy.tasks.haggle.items import Triple, points
from understudy.tasks.haggle.population import LOWEST_RESERVATION
from understudy.types import Message

TOO_MANY = "offers more items than there are"
MORE_THAN_BEFORE = "demands more than it demanded before"
WORTHLESS_OFFER = "offers a split worth nothing to itself"
BELOW_EVERYONE = "accepts a split worth below every person's reservation"
LESS_THAN_REFUSED = "accepts less than it just refused"
REFUSES_ITS_DEMAND = "refuses as much as it asked for itself"
NEEDS_WORTHLESS = "says that it needs what is worth nothing to it"


def coherence(counts: Triple, values: Triple, messages: Sequence[Message]) -> list[Check]:
    """Every occasion in one dialogue.

    * naming a split: more items than there are; worth nothing to itself; and after an earlier offer of its own, worth
      more than that one (its demand may only fall);
    * accepting: worth less than `LOWEST_RESERVATION`; and where it refused an offer before, worth less than that one
      *and* less than `LOWEST_RESERVATION` (giving way down to a reservation is no contradiction);
    * answering an offer that gives it at least what it last asked for itself: anything but accepting;
    * saying what it needs: a kind worth nothing to it.
    """
    checks: list[Check] = []
    asked: int | None = None
    offered: int | None = None
    refused: int | None = None
    fresh = False
    for heard in listen(counts, messages).heard:
        act = heard.act
        worth = None if heard.user_share is None else points(heard.user_share, values)
        if heard.role == "agent":
            fresh = act.kind == "offer"
            offered = worth if fresh else offered
            continue
        if fresh and asked is not None and offered is not None and offered >= max(asked, LOWEST_RESERVATION):
            checks.append(Check(REFUSES_ITS_DEMAND, act.kind != "accept"))
        if act.kind == "accept" and worth is not None:
            checks.append(Check(BELOW_EVERYONE, worth < LOWEST_RESERVATION))
            if refused is not None:
                checks.append(Check(LESS_THAN_REFUSED, worth < min(refused, LOWEST_RESERVATION)))
        elif fresh and offered is not None:
            refused = offered if refused is None else max(refused, offered)
        if act.kind in ("offer", "impossible"):
            checks.append(Check(TOO_MANY, act.kind == "impossible"))
        if act.kind == "offer" and worth is not None:
            checks.append(Check(WORTHLESS_OFFER, worth == 0))
            if asked is not None:
                checks.append(Check(MORE_THAN_BEFORE, worth > asked))
            asked = worth
        if act.wanted and act.kind in ("refuse", "wish", "ask"):
            checks.append(Check(NEEDS_WORTHLESS, any(values[kind] == 0 for kind in act.wanted)))
        fresh = False
    return checks
