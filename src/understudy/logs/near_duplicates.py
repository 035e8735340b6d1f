"""Conversations that share most of their words: copies with a typo, the same ticket twice, one script read by many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from datasketch import MinHash, MinHashLSH

from understudy.logs.conversation import Conversation

_PERMUTATIONS = 128
_WORDS = 3
_SLACK = 0.25
"""Hashing looks for candidates that are less similar by so much, so that it seldom misses one that is similar enough."""


def near_pairs(conversations: Iterable[Conversation], threshold: float) -> Iterator[tuple[int, int]]:
    """Pairs of places in `conversations` whose similarity is about `threshold` or more: enough of them that whatever resembles
    each other hangs together.

    The similarity is the Jaccard index of the sets of three words in a row that both sides say, estimated by MinHash
    (Broder 1997; standard error at most .045) among candidates from locality-sensitive hashing.

    Args:
        threshold: above 0 and at most 1.
    """
    index = MinHashLSH(threshold=max(0.05, threshold - _SLACK), num_perm=_PERMUTATIONS)
    sketches: dict[int, MinHash] = {}
    for place, conversation in enumerate(conversations):
        sketch = MinHash(num_perm=_PERMUTATIONS, seed=1)
        sketch.update_batch(list(_shingles(conversation)))
        similar = {other: sketch.jaccard(sketches[other]) for other in index.query(sketch)}
        yield from ((other, place) for other, share in similar.items() if share >= threshold)
        if max(similar.values(), default=0.0) < 1:  # what resembles a copy resembles what it copies
            index.insert(place, sketch)
            sketches[place] = sketch


def _shingles(conversation: Conversation) -> set[bytes]:
    words = [w for t in conversation.turns if t.role in ("user", "assistant") for w in t.text.lower().split()]
    return {" ".join(words[i : i + _WORDS]).encode("utf-8", "replace") for i in range(max(1, len(words) - _WORDS + 1))}
