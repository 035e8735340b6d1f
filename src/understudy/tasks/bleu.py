"""Sentence BLEU: the reward of tasks in which the agent writes a text that the user has in mind."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=65536)
def bleu(draft: str, target: str) -> float:
    """Sentence BLEU by sacrebleu in [0, 100]: 4-grams, exponential smoothing, effective order."""
    score: float = _metric().sentence_score(draft, [target]).score
    # 100.00000000000004 is what a perfect match scores.
    return min(score, 100.0)


@lru_cache(maxsize=1)
def _metric() -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU(smooth_method="exp", effective_order=True)
