"""The imperfect agent that wrote the logs of `document`: it asks, joins what it heard as others would, overlooks comments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from understudy.tasks.document.phrases import PLACES
from understudy.tasks.document.reading import DRAFT, last_draft, read_agent, read_user
from understudy.tasks.prose import content_key, content_words, sentences, words
from understudy.types import Message

QUESTIONS = (
    "what else is it about ?",
    "could you tell me more about it ?",
    "what happens in it ?",
    "what comes next ?",
    "is there anything that it has to say ?",
)
DICTATION_QUESTIONS = ("what should it say exactly ?", "could you dictate it to me ?", "what is the whole text ?")
ASKS_FIRST, ASKS_LATER, DICTATION = 0.6, 0.2, 0.15
"""Probabilities to ask where nothing is drafted yet, and later; and to ask for the text itself, of the questions."""
OVERLOOKS = 0.15
"""Probability that a draft is written again as it was, and that what the user rejects stays."""
STRAYS = 0.25
"""Probability that a sentence ends in a word that nobody named."""


class Glue:
    """What stands before a content word in prose that the script has read: a language model of the least kind."""

    def __init__(self, read: Iterable[str]) -> None:
        self._before: dict[str, list[str]] = defaultdict(list)
        self._words: list[str] = []
        for sentence in read:
            small: list[str] = []
            for word in sentence.split():
                key = next(filter(None, map(content_key, words(word))), "")
                if not key:
                    small.append(word)
                    continue
                if key not in self._before:
                    self._words.append(word)
                self._before[key].append(" ".join(small))
                small = []

    def join(self, written: Mapping[str, str], rng: np.random.Generator) -> str:
        """A sentence of these words (looked up, as written) in order, and at times one more."""
        if self._words and rng.random() < STRAYS:
            written = {**written, **content_words(_pick(self._words, rng))}
        parts = [part for key, word in written.items() for part in (_pick(self._before.get(key, [""]), rng), word)]
        made = " ".join(part for part in parts if part)
        return f"{made[:1].upper()}{made[1:]}."


def script(messages: Sequence[Message], glue: Glue, rng: np.random.Generator) -> Message:
    """The script's next message; it reads what was said by the same rules as the users do, and never the goal."""
    position = last_draft(messages)
    if rng.random() < (ASKS_FIRST if position is None else ASKS_LATER):
        return Message("agent", _pick(DICTATION_QUESTIONS if rng.random() < DICTATION else QUESTIONS, rng))
    parts = [] if position is None else sentences(read_agent(messages[position].text).draft)
    if not parts or rng.random() >= OVERLOOKS:
        heard = messages if position is None else messages[position:]
        for message in heard:
            if message.role == "user":
                parts = _revised(parts, message.text, glue, rng)
    return Message("agent", f"{DRAFT} {' '.join(parts)}".strip())


def _revised(parts: list[str], comment: str, glue: Glue, rng: np.random.Generator) -> list[str]:
    """The draft's sentences after a comment: a new one where the comment says, and what it rejects taken out."""
    said = read_user(comment)
    if said.rejects and rng.random() >= OVERLOOKS:
        kept = ([w for w in part.split() if not content_words(w).keys() & said.rejects.keys()] for part in parts)
        return [f"{' '.join(words_left).rstrip(' .')}." for words_left in kept if words_left]
    if not said.wants:
        return parts
    place = 0 if PLACES[0] in comment else len(parts) // 2 if PLACES[1] in comment else len(parts)
    return [*parts[:place], glue.join(said.wants, rng), *parts[place:]]


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
