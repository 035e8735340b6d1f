"""Who gets what according to one text: the notes taken by `reading.read` while it goes through the words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from understudy.tasks.haggle.items import Triple

Side = Literal["me", "you"]
_REST, _EVERYTHING = -1, -2


def _other(side: Side) -> Side:
    return "you" if side == "me" else "me"


@dataclass(slots=True)
class _Claim:
    kind: int
    """Index of the kind, or one of the two negative marks."""
    count: int
    side: Side | None
    clause: int
    said_here: bool
    """Whether the side was named in the same clause, before the items."""


@dataclass(slots=True)
class Bundle:
    """Claims in the order in which they were read; `me` is whoever speaks, `wanted` the kinds it says it needs."""

    wanted: set[int] = field(default_factory=set)
    _claims: list[_Claim] = field(default_factory=list)
    _side: Side | None = None
    _clause: int = 0
    _said_here: bool = False

    def speak_of(self, side: Side) -> None:
        """The clause turns to a side (`i get ...`, `you get ...`)."""
        self._side, self._said_here = side, True

    def hand_over(self, side: Side) -> None:
        """A side named after its items (`2 books for me`, `the rest is yours`)."""
        if self._claims and self._claims[-1].kind == _REST:
            # `1 hat , 2 balls and the rest is yours`: the items before it stay with whom they were given to.
            self._claims[-1].side = side
            return
        open_claims = [c for c in self._claims if c.side is None or (c.clause == self._clause and not c.said_here)]
        for claim in open_claims:
            claim.side, claim.said_here = side, True
        if not open_claims:
            self._side = side

    def add(self, kind: int, count: int) -> None:
        self._claims.append(_Claim(kind, count, self._side, self._clause, self._said_here))

    def add_rest(self) -> None:
        self.add(_REST, 0)

    def add_everything(self) -> None:
        self.add(_EVERYTHING, 0)

    def add_nothing(self) -> None:
        """`you get nothing` hands everything to the other side of the sentence."""
        if self._side is not None:
            self._claims.append(_Claim(_EVERYTHING, 0, _other(self._side), self._clause, True))

    @property
    def said_everything(self) -> bool:
        return any(c.kind == _EVERYTHING for c in self._claims)

    def flip(self) -> None:
        """`everything but ...`: what follows goes to the other side."""
        if self._side is not None:
            self._side = _other(self._side)

    def end_clause(self) -> None:
        self._clause += 1
        self._said_here = False

    def share(self, counts: Triple) -> Triple | Literal["impossible"] | None:
        """The speaker's share; None if no split was named, `impossible` if it needs more items than there are."""
        named: dict[Side, dict[int, int]] = {"me": {}, "you": {}}
        rest_to: Side | None = None
        all_to: Side | None = None
        for claim in self._claims:
            if claim.side is None:
                continue
            if claim.kind == _REST:
                rest_to = claim.side
            elif claim.kind == _EVERYTHING:
                all_to = claim.side
            else:
                named[claim.side][claim.kind] = claim.count
        mine, yours = named["me"], named["you"]
        if not mine and not yours and all_to is None:
            return None
        rest_to = rest_to or all_to or ("me" if not mine else "you")
        result = [0, 0, 0]
        for kind, count in enumerate(counts):
            if mine.get(kind, 0) + yours.get(kind, 0) > count:
                return "impossible"
            if kind in mine:
                result[kind] = mine[kind]
            elif kind in yours:
                result[kind] = count - yours[kind]
            else:
                result[kind] = count if rest_to == "me" else 0
        return (result[0], result[1], result[2])
