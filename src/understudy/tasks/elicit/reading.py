"""The fixed rules by which words become acts: what the agent asks, what it answers, and what a user says.

Both are total: any text maps to something, at worst to a vague question or to nothing said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from understudy.tasks.elicit.words import SLOTS, SURFACES
from understudy.tasks.grammar import typo_variants
from understudy.types import Message

SLOT_WORDS: dict[str, frozenset[str]] = {
    "size": frozenset({"size", "sizes", "cup", "mug"}),
    "drink": frozenset({"drink", "drinking", "beverage", "brew"}),
    "milk": frozenset({"milk", "milks", "milky"}),
    "extra": frozenset({"extra", "extras", "topping", "toppings", "flavour", "flavor", "sweetener"}),
}
"""Words by which an agent asks for a slot; the name of any of its values does too."""
CHANGE_WORDS = frozenset(
    {"change", "changes", "adjust", "different", "differently", "reconsider", "correct", "right", "happy", "thoughts"}
)
"""Words by which an agent asks whether anything should change; they outweigh the slots that it names."""
ALL_WORDS = frozenset({"everything", "entire", "complete", "details"})
"""Words by which an agent asks for the whole order at once."""
CHANGE_CUES = frozenset({"actually", "instead", "rather", "changed", "switch", "swap"})
"""Words by which a user announces a change of mind."""
MANY = 3
"""Asking for this many slots in one message is asking for everything at once."""

Kind = Literal["final", "change", "slots", "all", "vague"]


@dataclass(frozen=True, slots=True)
class AgentAct:
    """What an agent's message means to a user.

    Attributes:
        kind: `final` (ends the dialogue), `change` (asks whether anything should change), `slots` (asks for one or
            two), `all` (asks for three or more, or for everything), `vague` (anything else).
        slots: those asked for, in the order of `SLOTS`; empty for the other kinds.
    """

    kind: Kind
    slots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What a user's message says.

    Attributes:
        values: canonical value by slot; where a message names two of one slot, the later counts.
        named: every (slot, value) in order, as often as it was named.
        cue: whether it holds a word that announces a change of mind.
    """

    values: Mapping[str, str]
    named: tuple[tuple[str, str], ...]
    cue: bool


def words(text: str) -> list[str]:
    """Lower-case words and punctuation marks, however they were spaced."""
    return re.findall(r"[a-z']+|[^a-z'\s]", text.lower())


def _lexicon(slips: bool) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for slot, values in SURFACES.items():
        for value, surfaces in values.items():
            for surface in surfaces:
                for variant in (surface, *(v for v, _ in typo_variants(surface) if slips)):
                    found[variant] = (slot, value)
    return found


LEXICON = _lexicon(slips=True)
"""Every word for a value, with every slip of `typo_variants`, to (slot, value)."""
_EXACT = _lexicon(slips=False)


@lru_cache(maxsize=65536)
def read_agent(text: str) -> AgentAct:
    """The act of an agent's message; a user overlooks no question, but does not guess at misspelt ones."""
    tokens = words(text)
    if tokens[:3] == ["final", "answer", ":"]:
        return AgentAct("final")
    bag = set(tokens)
    if bag & CHANGE_WORDS:
        return AgentAct("change")
    named = {_EXACT[word][0] for word in bag & _EXACT.keys()}
    slots = tuple(slot for slot in SLOTS if slot in named or bag & SLOT_WORDS[slot])
    if len(slots) >= MANY or bag & ALL_WORDS:
        return AgentAct("all")
    return AgentAct("slots", slots) if slots else AgentAct("vague")


@lru_cache(maxsize=65536)
def read_final(text: str) -> tuple[str, str, str, str] | None:
    """The four canonical values of a final answer in the order of `SLOTS`; None if it is not exactly of that form."""
    if read_agent(text).kind != "final":
        return None
    content = [word for word in words(text)[3:] if word not in {",", ".", "milk"}]
    if len(content) != len(SLOTS) or any(v not in SURFACES[s] for s, v in zip(SLOTS, content, strict=True)):
        return None
    size, drink, milk, extra = content
    return size, drink, milk, extra


@lru_cache(maxsize=65536)
def read_user(text: str) -> Said:
    """The values that a user's message names, slips of the keyboard included, and whether it announces a change."""
    tokens = words(text)
    named = tuple(LEXICON[word] for word in tokens if word in LEXICON)
    return Said(dict(named), named, not CHANGE_CUES.isdisjoint(tokens))


def told_values(messages: Sequence[Message]) -> dict[str, str]:
    """The latest value that the user named for each slot."""
    told: dict[str, str] = {}
    for message in messages:
        if message.role == "user":
            told.update(read_user(message.text).values)
    return told


def second_thought_said(goal: Mapping[str, Any], messages: Sequence[Message]) -> bool:
    """Whether the goal has a second thought and some user message names its value."""
    second = goal["second"]
    if second is None:
        return False
    wanted = (second["slot"], second["value"])
    return any(wanted in read_user(m.text).named for m in messages if m.role == "user")


def current_goal(goal: Mapping[str, Any], messages: Sequence[Message]) -> dict[str, str]:
    """The order as it stands after these messages: the second thought applies once the user has named its value."""
    wanted: dict[str, str] = dict(goal["slots"])
    if second_thought_said(goal, messages):
        wanted[goal["second"]["slot"]] = goal["second"]["value"]
    return wanted
