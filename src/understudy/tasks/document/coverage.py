"""What a draft covers of the text in mind, by content words."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.tasks.prose import content_words

LONGEST, MOST = 20, 10
"""Of a draft's words, anybody repeats none of more letters than this, and looks at so many."""


def covered(sentence: str, draft: str) -> float:
    """Share in [0, 1] of a sentence's content words that stand in the draft; 1 if it has none."""
    words = content_words(sentence).keys()
    return len(words & content_words(draft).keys()) / len(words) if words else 1.0


def least_covered(sentences: Sequence[str], draft: str) -> int:
    """Index of the sentence that the draft covers least, the first of equals."""
    return min(range(len(sentences)), key=lambda i: covered(sentences[i], draft))


def lacking(sentence: str, draft: str) -> dict[str, str]:
    """Content words of a sentence that the draft has not, in order, looked up and as written."""
    there = content_words(draft)
    return {key: word for key, word in content_words(sentence).items() if key not in there}


def foreign(draft: str, text: str) -> list[str]:
    """The first content words of a draft that the text has not, as written; none too long to repeat."""
    there = content_words(text)
    return [word for key, word in content_words(draft).items() if key not in there and len(word) <= LONGEST][:MOST]
