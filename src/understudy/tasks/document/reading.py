"""Fixed rules that read any text: what an agent's message does, and what a user's message says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from understudy.tasks.prose import content_words, words
from understudy.types import Message

DRAFT = "draft :"
"""The words behind which an agent's draft stands."""
_DRAFT = re.compile(r"\bdraft\s*:", re.IGNORECASE)
_DICTATION = re.compile(
    r"\b(?:dictate|verbatim|exact|exactly|word for word|(?:whole|full|entire) text)\b", re.IGNORECASE
)
# The first of these decides, so that no word behind it can be taken for another.
_CUE = re.compile(r"\b(?:(?P<wants>about|mention|miss|add)|(?P<rejects>leave out|nothing on))\s", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.?!;](?:\s|$)")
_APPROVAL = frozenset(words("perfect great exactly wonderful lovely excellent love happy"))
_PARTING = frozenset(words("never forget not nowhere myself enough bye stop no leave"))


@dataclass(frozen=True, slots=True)
class AgentAct:
    """What a user understands an agent's message to be.

    Attributes:
        kind: `draft`; `dictation`, a request for the text itself; `question`; `talk`, anything else, garbage included.
        draft: for `draft`: its words, joined by single spaces.
    """

    kind: Literal["draft", "dictation", "question", "talk"]
    draft: str = ""


@lru_cache(maxsize=16384)
def read_agent(text: str) -> AgentAct:
    """The act that a message of the agent is understood as: `draft :` decides, then words that ask for the text itself."""
    marks = list(_DRAFT.finditer(text))
    if marks:
        return AgentAct("draft", " ".join(text[marks[-1].end() :].split()))
    if _DICTATION.search(text):
        return AgentAct("dictation")
    return AgentAct("question" if "?" in text else "talk")


def last_draft(messages: Sequence[Message]) -> int | None:
    """Index of the agent's last draft; None if there is none."""
    drafts = (i for i in reversed(range(len(messages))) if _is_draft(messages[i]))
    return next(drafts, None)


def _is_draft(message: Message) -> bool:
    return message.role == "agent" and read_agent(message.text).kind == "draft"


@dataclass(frozen=True, slots=True)
class Said:
    """What a user's message says of the text.

    Attributes:
        wants: content words that it says the text has, looked up and as written (`prose.content_words`).
        rejects: content words that it says the text has not.
    """

    wants: Mapping[str, str]
    rejects: Mapping[str, str]


_NOTHING: Mapping[str, str] = MappingProxyType({})


@lru_cache(maxsize=16384)
def read_user(text: str) -> Said:
    """The content words between the first of a few cues (`about`, `add`, `leave out`, ..) and the end of its clause."""
    cue = _CUE.search(text)
    if cue is None:
        return Said(_NOTHING, _NOTHING)
    named = content_words(_CLAUSE_END.split(text[cue.end() :], maxsplit=1)[0])
    return Said(named, _NOTHING) if cue["wants"] else Said(_NOTHING, named)


def approves(text: str) -> bool:
    """Whether the words with which a user ended the conversation approve: a word of approval, and none of parting."""
    present = set(words(text.lower()))
    return bool(present & _APPROVAL) and not present & _PARTING
