"""The texts that users of `edit` have in mind: slots, their values, two registers, and how a text is made of them."""

from __future__ import annotations

from collections.abc import Sequence

SLOTS = ("name", "action", "version", "thing", "day")
"""In the order in which they stand in the text; everything indexed by slot uses this order."""

VALUES: dict[str, tuple[str, ...]] = {
    "name": ("maria", "tom", "anna", "peter", "laura", "david", "sofia", "james"),
    "action": ("send", "bring", "check", "copy", "sign", "share", "print", "scan"),
    "version": ("final", "short", "new", "old", "revised", "english"),
    "thing": ("report", "budget", "contract", "slides", "photos", "invoice", "poster", "map"),
    "day": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
}

FORMAL, CASUAL = "formal", "casual"
REGISTERS = (FORMAL, CASUAL)

REGISTER, WORDING = "register", "wording"
"""The two further things that a user can find wrong in a draft, besides the slots."""

SMALL = ("version", "day")
"""Slots of which a lenient user lets one pass."""

MARKERS: dict[str, frozenset[str]] = {
    FORMAL: frozenset({"dear", "please", "before", "kind", "regards"}),
    CASUAL: frozenset({"hey", "can", "you", "by", "cheers"}),
}
"""Words of a draft that tell its register."""


def render(values: Sequence[str | None], register: str) -> str:
    """The text for these slot values (in the order of `SLOTS`), 6-12 words; None leaves a slot open.

    An open name, version or day is left out; an open action or thing becomes `do` or `one`.
    """
    name, action, version, thing, day = values
    formal = register == FORMAL
    words = [*(("dear" if formal else "hey", name, ",") if name else ())]
    words += ["please"] if formal else ["can", "you"]
    words += [action or "do", "the", *((version,) if version else ()), thing or "one"]
    words += ["before" if formal else "by", day] if day else []
    words += [",", "kind", "regards"] if formal else [",", "cheers"]
    return " ".join(words)
