"""Fixed rules that read any text: what an agent's message does, and what a user's message says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal as OneOf

from understudy.tasks.edit.words import CASUAL, FORMAL, MARKERS, REGISTER, REGISTERS, SLOTS, VALUES, WORDING, render
from understudy.tasks.grammar import typo_variants

_PUNCTUATION = re.compile(r"([,.?!:;])")
_DRAFT = re.compile(r"\s*draft\s*:", re.IGNORECASE)
DRAFT = "draft :"
"""The words that an agent's draft begins with."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DICTATION = _words("exactly dictate exact whole entire verbatim wording phrase say")
"""Words by which an agent's question asks for the text itself."""

_ASKED: dict[str, frozenset[str]] = {
    "name": _words("who whom name person recipient") | frozenset(VALUES["name"]),
    "action": _words("action verb done happen") | frozenset(VALUES["action"]),
    "version": _words("version edition") | frozenset(VALUES["version"]),
    "thing": _words("item thing document topic") | frozenset(VALUES["thing"]),
    "day": _words("day date deadline when") | frozenset(VALUES["day"]),
    REGISTER: _words("tone formal casual polite relaxed register"),
}
"""Words by which an agent's question asks about one slot, or the register."""

NAMED: dict[str, frozenset[str]] = {
    "name": _words("name person recipient"),
    "action": _words("action verb"),
    "version": _words("version edition"),
    "thing": _words("item document topic"),
    "day": _words("day date deadline"),
    REGISTER: _words("tone voice"),
    WORDING: _words("wording phrasing"),
}
"""Words by which a user names what a comment is about."""

CUES: dict[str, frozenset[str]] = {
    FORMAL: _words("formal polite proper official boss sloppy loose cheeky chatty"),
    CASUAL: _words("casual relaxed friendly friendlier friend friends buddy stiff wooden frosty pompous"),
}
"""Words by which a user asks for a register (`stiff` complains of the other one)."""

_APPROVAL = _words("perfect great works spot exactly lovely good love nailed happy right yes")
_PARTING = _words("never forget not nowhere myself enough bye else elsewhere stop no leave waste")


def tokens(text: str) -> list[str]:
    """Lower-case words and punctuation marks."""
    return _PUNCTUATION.sub(r" \1 ", text.lower()).split()


@dataclass(frozen=True, slots=True)
class Draft:
    """What a draft expresses.

    Attributes:
        text: the draft without `draft :`, tokens joined by single spaces.
        values: per slot the one value named in it; None if none is, or several.
        register: the register that most of its marker words belong to; None on a tie.
        well_worded: false where it is not the text that these values and this register make (never false for None).
    """

    text: str
    values: tuple[str | None, ...]
    register: str | None
    well_worded: bool


@lru_cache(maxsize=8192)
def read_draft(text: str) -> Draft:
    """What the words after `draft :` express; any text is read."""
    words = tokens(text)
    present = set(words)
    values: list[str | None] = []
    for slot in SLOTS:
        found = [value for value in VALUES[slot] if value in present]
        values.append(found[0] if len(found) == 1 else None)
    formal, casual = (len(present & MARKERS[register]) for register in REGISTERS)
    register = None if formal == casual else (FORMAL if formal > casual else CASUAL)
    joined = " ".join(words)
    return Draft(joined, tuple(values), register, register is None or joined == render(values, register))


@dataclass(frozen=True, slots=True)
class AgentAct:
    """What a user understands an agent's message to be.

    Attributes:
        kind: `draft`; `slot`, a question about one slot or the register; `dictation`, a request for the text itself;
            `vague`, anything else, several questions at once and garbage included.
        draft: for `draft`.
        slot: for `slot`: one of `SLOTS` or `register`.
    """

    kind: OneOf["draft", "slot", "dictation", "vague"]
    draft: Draft | None = None
    slot: str = ""


@lru_cache(maxsize=8192)
def read_agent(text: str) -> AgentAct:
    """The act that a message of the agent is understood as: `draft :` decides, then dictation, then slots."""
    opening = _DRAFT.match(text)
    if opening:
        return AgentAct("draft", draft=read_draft(text[opening.end() :]))
    present = set(tokens(text))
    if present & _DICTATION:
        return AgentAct("dictation")
    asked = [slot for slot, words in _ASKED.items() if present & words]
    return AgentAct("slot", slot=asked[0]) if len(asked) == 1 else AgentAct("vague")


@dataclass(frozen=True, slots=True)
class Said:
    """What a user's message says.

    Attributes:
        values: `(slot, value)` in the order said; the register is given as `("register", "formal")`.
        named: slots (or `register`, `wording`) that are spoken of, with or without a value.
    """

    values: tuple[tuple[str, str], ...]
    named: frozenset[str]


@lru_cache(maxsize=1)
def lexicon() -> Mapping[str, tuple[str, str]]:
    """Each word that means something, and its unambiguous misspellings: `(slot, value)`, value "" if none."""
    exact = {value: (slot, value) for slot, values in VALUES.items() for value in values}
    exact |= {word: (slot, "") for slot, words in NAMED.items() for word in words}
    exact |= {word: (REGISTER, register) for register, words in CUES.items() for word in words}
    result, clashes = dict(exact), set[str]()
    for word, meaning in exact.items():
        for variant, _ in typo_variants(word):
            if variant not in exact and result.setdefault(variant, meaning) != meaning:
                clashes.add(variant)
    return {word: meaning for word, meaning in result.items() if word not in clashes}


@lru_cache(maxsize=8192)
def read_user(text: str) -> Said:
    """The values and slots that a user's message names; misspellings that `typo_variants` knows are understood."""
    known = lexicon()
    meanings = [known[word] for word in tokens(text) if word in known]
    values = tuple(dict.fromkeys((slot, value) for slot, value in meanings if value))
    return Said(values, frozenset(slot for slot, _ in meanings))


@lru_cache(maxsize=2)
def _with_typos(words: frozenset[str]) -> frozenset[str]:
    return words | {variant for word in words for variant, _ in typo_variants(word)}


def approves(text: str) -> bool:
    """Whether the words with which a user ended the conversation approve: a word of approval, and none of parting."""
    present = set(tokens(text))
    return bool(present & _with_typos(_APPROVAL)) and not present & _with_typos(_PARTING)
