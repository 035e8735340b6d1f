"""Splits of imported logs in which nobody, and nothing nearly the same, stands on two sides."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from understudy.errors import LogError
from understudy.logs.conversation import Conversation, read_conversations
from understudy.logs.files import line_of, refuse_existing
from understudy.logs.near_duplicates import near_pairs
from understudy.runs import atomic_folder


@dataclass(frozen=True)
class SplitSummary:
    """What went where.

    Attributes:
        conversations: by split.
        persons: known persons, by split.
        near_duplicates: conversations that were kept with another one that they resemble.
        largest: conversations in the largest group that had to stay together.
    """

    conversations: Mapping[str, int]
    persons: Mapping[str, int]
    near_duplicates: int
    largest: int


def split_logs(
    source: Path,
    out: Path,
    shares: Mapping[str, float],
    *,
    seed: int = 0,
    similarity: float = 0.7,
    on_conversation: Callable[[int], None] = lambda count: None,
) -> SplitSummary:
    """Write one file per split into the new folder `out`, which appears whole or not at all.

    All conversations of a person stay together, a conversation of nobody known stands for itself, and conversations that
    resemble each other pull their persons together. These groups are drawn at random, each for one of the splits that have
    room for it, so that shares hold up to the size of a group.

    Args:
        shares: name of the split -> its share of the conversations, above 0; normalised to sum 1.
        similarity: Jaccard index from which conversations are nearly the same (see `near_pairs`); above 1 for never.

    Raises:
        LogError: if `source` is no file of conversations, a share is not above 0, a split gets nothing, or `out` exists.
        RunError: if `out` cannot be written.
    """
    refuse_existing(out)
    for name, share in shares.items():
        if not (math.isfinite(share) and share > 0):
            raise LogError(f"share {share} of split {name!r}", fix="give a share above 0, or leave the split out")
    owners = [c.person for c in read_conversations(source)]
    groups = _Groups(len(owners))
    first_of: dict[str, int] = {}
    for place, owner in enumerate(owners):
        if owner is not None:
            groups.join(first_of.setdefault(owner, place), place)
    resembling: set[int] = set()
    if similarity <= 1:
        for one, other in near_pairs(_counted(source, on_conversation), similarity):
            groups.join(one, other)
            resembling |= {one, other}
    split_of = _assign(groups, shares, seed)
    counts = Counter(split_of)
    persons = {name: len({o for o, s in zip(owners, split_of, strict=True) if o and s == name}) for name in shares}
    _write(source, out, split_of, list(shares))
    sizes = Counter(groups.root(place) for place in range(len(owners)))
    return SplitSummary({name: counts[name] for name in shares}, persons, len(resembling), max(sizes.values()))


class _Groups:
    """Places that must stay together (disjoint sets)."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def root(self, place: int) -> int:
        while self._above[place] != place:
            self._above[place] = self._above[self._above[place]]
            place = self._above[place]
        return place

    def join(self, one: int, other: int) -> None:
        one, other = sorted((self.root(one), self.root(other)))
        self._above[other] = one

    def all(self) -> list[list[int]]:
        members = defaultdict(list)
        for place in range(len(self._above)):
            members[self.root(place)].append(place)
        return list(members.values())


def _counted(source: Path, on_conversation: Callable[[int], None]) -> Iterator[Conversation]:
    for count, conversation in enumerate(read_conversations(source), 1):
        on_conversation(count)
        yield conversation


def _assign(groups: _Groups, shares: Mapping[str, float], seed: int) -> list[str]:
    """The split of each place.

    Raises:
        LogError: if a split gets nothing.
    """
    members = groups.all()
    total = sum(len(group) for group in members)
    wanted = {name: share / sum(shares.values()) * total for name, share in shares.items()}
    held = dict.fromkeys(shares, 0)
    split_of = [""] * total
    rng = np.random.default_rng(seed)
    for index in rng.permutation(len(members)):
        group = members[index]
        room = {name: max(0.0, wanted[name] - held[name]) for name in shares}
        fitting = [name for name in shares if len(group) <= room[name] + 0.5] or [max(room, key=lambda n: room[n])]
        weights = np.array([room[name] + 1e-9 for name in fitting])
        name = fitting[int(rng.choice(len(fitting), p=weights / weights.sum()))]
        held[name] += len(group)
        for place in group:
            split_of[place] = name
    empty = [name for name, count in held.items() if not count]
    if empty:
        raise LogError(
            f"split {empty[0]!r} is empty: {total} conversations are only {len(members)} groups of persons and "
            "near-duplicates",
            fix="give logs of more persons, ask for fewer splits, or raise --similarity where near-duplicates tie them",
        )
    return split_of


def _write(source: Path, out: Path, split_of: list[str], names: list[str]) -> None:
    with atomic_folder(out) as unfinished, ExitStack() as stack:
        files = {
            name: stack.enter_context((unfinished / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n"))
            for name in names
        }
        for conversation, name in zip(read_conversations(source), split_of, strict=True):
            files[name].write(line_of(conversation.record()))
