"""English prose as tasks look at it: its sentences, and the words that tell what it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

# After a full stop that ends a word or a number, not within one (`2.50`) and not after a title.
_SENTENCE_END = re.compile(r"(?<=[.?!])(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bDr\.)\s+(?=\S)")
# `1,200`, `U.S` and `don't` are one word each.
_WORD = re.compile(r"\w+(?:[.,'’]\w+)*")
_SMALL_WORDS = frozenset(
    _WORD.findall(
        "a about after all also an and any are as at be been before both but by can could did do does don't each first for "
        "from had has have he her him his how i if in into is it it's its just many may me might more most much my no not of "
        "on one only or other our out over same she should so some such than that the their them then there these they this "
        "those through to too two under up upon very was we were what when where which while who whom whose why will with "
        "would you your"
    )
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, each on one line, in order."""
    return [" ".join(part.split()) for part in _SENTENCE_END.split(text.strip()) if part.strip()]


def words(text: str) -> list[str]:
    """Words and numbers as written, in order."""
    return _WORD.findall(text)


@lru_cache(maxsize=16384)
def content_words(text: str) -> Mapping[str, str]:
    """Words and numbers that tell what a text is about, in order: how each is looked up, and how it is first written."""
    found: dict[str, str] = {}
    for word in words(text):
        if key := content_key(word):
            found.setdefault(key, word)
    return MappingProxyType(found)


def content_key(word: str) -> str:
    """How a word is looked up: in lower case, without a possessive or an s at its end; empty if it tells nothing."""
    lower = word.lower()
    key = re.sub(r"['’]s$", "", lower).removesuffix("s")
    return key if lower not in _SMALL_WORDS and (len(key) > 1 or key.isdigit()) else ""
