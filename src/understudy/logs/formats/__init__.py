"""The ways in which logs are written."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import get_args

from understudy.errors import LogError
from understudy.logs.check import message_faults
from understudy.logs.conversation import Conversation, TurnRole
from understudy.logs.formats.base import Format, place_name
from understudy.logs.formats.deal_or_no_deal import DEAL_OR_NO_DEAL
from understudy.logs.formats.lists import MESSAGES, SHAREGPT, TASKMASTER, WILDCHAT
from understudy.logs.formats.table import REQUIRED, TABLE, plain_names
from understudy.logs.unfit import Unfit

__all__ = ["FORMATS", "TABLE", "Format", "Unfit", "form_of", "format_named", "unknown_form"]

FORMATS = (MESSAGES, SHAREGPT, WILDCHAT, TASKMASTER, DEAL_OR_NO_DEAL, TABLE)
"""In the order in which they are tried."""


def form_of(record: object) -> Format | None:
    """The first format that a record looks like."""
    return next((known for known in FORMATS if known.recognises(record)), None)


def unknown_form(record: object, where: str) -> LogError:
    """What to say of a record that looks like none."""
    held = f"keys {', '.join(map(str, record))}" if isinstance(record, dict) else f"a {type(record).__name__}"
    return LogError(
        f"holds no conversation in a form that is known ({held}{_lacking(record)})",
        where=where,
        fix=f"force a form with --format ({', '.join(f.name for f in FORMATS)}), say what a table's columns are with "
        "--columns, or write a reader of your own and give --format package.module:function (docs/logs.md)",
    )


def _lacking(record: object) -> str:
    """What a row of a table would need besides, if it has some of it."""
    if not isinstance(record, dict):
        return ""
    names = plain_names(record)
    lacking = [what for what, columns in REQUIRED.items() if not any(column in names for column in columns)]
    return (
        f"; for a table it lacks a column for the {' and the '.join(lacking)}" if len(lacking) < len(REQUIRED) else ""
    )


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
        reader = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever a module of somebody else's does when it is imported
        what = f"{type(error).__name__}: {error}"
        hint = "; for a module in this folder put PYTHONPATH=. before the command"
        raise LogError(f"{name!r} cannot be imported: {what}", where="--format", fix=fix + hint) from None
    if not callable(reader):
        raise LogError(f"{name!r} is a {type(reader).__name__}, not a function", where="--format", fix=fix)
    return Format(name, lambda record: True, partial(_read_by, reader))


def _read_by(reader: Callable[[object], object], record: object, where: str) -> Conversation:
    try:
        found = reader(record)
    except Unfit:
        raise
    except Exception as error:  # of somebody else's code
        raise Unfit("the reader failed", f"{type(error).__name__}: {error}") from None
    if not isinstance(found, Conversation):
        raise Unfit("the reader gave no Conversation", type(found).__name__)
    turns = [turn if turn.role in get_args(TurnRole) else None for turn in found.turns]
    if None in turns:
        odd = [(n, turn.role) for n, turn in enumerate(found.turns, 1) if turns[n - 1] is None]
        unknown = [Unfit("unknown role", f"message {number}: {role!r} of the reader") for number, role in odd]
        raise Unfit.of_all([*unknown, *message_faults(turns)])
    return replace(found, id=str(found.id) if found.id else place_name(where))
