"""When words give away a text rather than say what it is about."""

from __future__ import annotations

from functools import lru_cache

from understudy.tasks.prose import words

RUN = 4
"""So many words of the text in a row are a quotation."""


def quotes(said: str, text: str) -> bool:
    """Whether `RUN` words in a row are also those of the text, whatever stands between them but words."""
    return not _runs(said).isdisjoint(_runs(text))


@lru_cache(maxsize=16384)
def _runs(text: str) -> frozenset[tuple[str, ...]]:
    in_order = words(text.lower())
    return frozenset(zip(*(in_order[i:] for i in range(RUN)), strict=False))
