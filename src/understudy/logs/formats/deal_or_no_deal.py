"""Negotiations of Deal or No Deal as conversations: the person who spoke first is the user."""

from __future__ import annotations

from collections.abc import Mapping
from operator import mul
from typing import Any

from understudy.logs.conversation import Conversation, Turn
from understudy.logs.deal_or_no_deal import Negotiation
from understudy.logs.formats.base import Format, place_name


def _recognises(record: object) -> bool:
    return isinstance(record, Negotiation)


def _read(record: object, where: str) -> Conversation:
    assert isinstance(record, Negotiation)
    turns = tuple(Turn("assistant" if i % 2 else "user", text) for i, text in enumerate(record.texts))
    return Conversation(
        place_name(where),
        turns,
        extra={
            "counts": list(record.counts),
            "user_values": list(record.first_values),
            "assistant_values": list(record.second_values),
            "ending": record.ending,
            "user_takes": None if record.first_takes is None else list(record.first_takes),
            "assistant_takes": None if record.second_takes is None else list(record.second_takes),
        },
    )


def points_of(extra: Mapping[str, Any]) -> tuple[int, int] | None:
    """Points of the user and of the assistant, none of both without a deal; None where they are not known.

    Args:
        extra: of a conversation; not known are those of the disconnected, and of all that is no negotiation.
    """
    if not (_are_three(extra.get("user_values")) and _are_three(extra.get("assistant_values"))):
        return None
    if extra.get("ending") in ("disagree", "no_agreement"):
        return 0, 0
    if not (_are_three(extra.get("user_takes")) and _are_three(extra.get("assistant_takes"))):
        return None
    user, assistant = (sum(map(mul, extra[f"{side}_takes"], extra[f"{side}_values"])) for side in ("user", "assistant"))
    return user, assistant


def _are_three(values: object) -> bool:
    return isinstance(values, list) and len(values) == 3 and all(isinstance(value, int) for value in values)


DEAL_OR_NO_DEAL = Format("deal_or_no_deal", _recognises, _read)
