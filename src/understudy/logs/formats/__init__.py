"""The ways in which logs are written, one small file each."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from understudy.errors import LogError
from understudy.logs.conversation import Conversation
from understudy.logs.formats.base import Format, Unfit
from understudy.logs.formats.deal_or_no_deal import DEAL_OR_NO_DEAL
from understudy.logs.formats.messages import MESSAGES
from understudy.logs.formats.sharegpt import SHAREGPT
from understudy.logs.formats.table import TABLE
from understudy.logs.formats.taskmaster import TASKMASTER
from understudy.logs.formats.wildchat import WILDCHAT

__all__ = ["FORMATS", "TABLE", "Format", "Unfit", "format_named", "recognise"]

FORMATS = (MESSAGES, SHAREGPT, WILDCHAT, TASKMASTER, DEAL_OR_NO_DEAL, TABLE)
"""In the order in which they are tried."""


def recognise(record: object, where: str) -> Format:
    """The first format that a record looks like.

    Raises:
        LogError: if it looks like none, naming what it holds.
    """
    found = next((f for f in FORMATS if f.recognises(record)), None)
    if found is None:
        held = f"keys {', '.join(map(str, record))}" if isinstance(record, dict) else f"a {type(record).__name__}"
        raise LogError(
            f"holds no conversation in a form that is known ({held})",
            where=where,
            fix=f"force one with --format ({', '.join(f.name for f in FORMATS)}), or write a reader of your own and "
            "give --format package.module:function (docs/logs.md)",
        )
    return found


def format_named(name: str) -> Format:
    """A format by its name, or a reader of one's own as `package.module:function`.

    The function takes a record (what one JSON object or row holds) and gives back a `Conversation`; it may raise `Unfit`.

    Raises:
        LogError: if there is no such format or function.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    module, _, attribute = name.partition(":")
    fix = f"use one of {', '.join(f.name for f in FORMATS)}, or package.module:function"
    if not attribute:
        raise LogError(f"unknown format {name!r}", where="--format", fix=fix)
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise LogError(f"{name!r} cannot be imported: {error}", where="--format", fix=fix) from None
    reader = cast(Callable[[object], Conversation], function)
    return Format(name, "a reader of one's own", lambda record: True, lambda record, where: reader(record))
