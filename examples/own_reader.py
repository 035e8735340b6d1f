"""A reader of one's own logs: a help desk that exports each ticket as one JSON object.

PYTHONPATH=. understudy logs import tickets.jsonl --out logs --format examples.own_reader:read_ticket
"""

from __future__ import annotations

from typing import Any

from understudy.logs.conversation import Conversation, Turn
from understudy.logs.formats import Unfit


def read_ticket(record: dict[str, Any]) -> Conversation:
    """`{"ticket": 7, "customer": "c-12", "solved": true, "thread": [["c", "it is broken"], ["us", "which one ?"]]}`."""
    if "thread" not in record:
        raise Unfit("a ticket without a thread", str(record.get("ticket")))
    turns = tuple(Turn("user" if who == "c" else "assistant", text) for who, text in record["thread"])
    ending = "solved" if record.get("solved") else "open"
    return Conversation(str(record["ticket"]), turns, person=record.get("customer"), extra={"ending": ending})
