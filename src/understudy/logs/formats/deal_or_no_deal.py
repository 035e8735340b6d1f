"""Negotiations of Deal or No Deal as conversations: the person who spoke first is the user."""

from __future__ import annotations

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


DEAL_OR_NO_DEAL = Format("deal_or_no_deal", _recognises, _read)
