"""Which division people's words propose: fixed rules that read free English about books, hats and balls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from understudy.tasks.negotiate.items import ITEMS, Counts

Side = Literal["own", "other"]
"""Whose part is spoken of: the speaker's or the listener's."""
_Named = tuple[int | None, int | None, int | None]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SIDES: dict[str, Side] = {
    **dict.fromkeys(_set("i me my i'd i'll ill i'm im i've ive id i'l myself we mine gimme"), "own"),
    **dict.fromkeys(_set("you your u ya you'd youd you'll you're youre yourself yours"), "other"),
}
_HALF, _ALL = -1, 99
_NUMBERS = {str(n): n for n in range(10)} | {
    **{"no": 0, "zero": 0, "a": 1, "an": 1, "another": 1, "other": 1, "single": 1},
    **{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5},
    **{"split": _HALF, "half": _HALF, "all": _ALL, "both": _ALL, "every": _ALL},
}
_NOUNS = {form: place for place, item in enumerate(ITEMS) for form in (item, f"{item}s")}
_NOUNS |= dict.fromkeys(("basketball", "basketballs"), ITEMS.index("ball"))
_REST = _set("rest everything remaining remainder others leftover leftovers")
_BUT = _set("but except minus")
_NOT = _set("not dont don't cant can't cannot won't wont doesn't didn't isn't never")
_GIVING_UP = _set("without give part lose go unless")
_GIVING = _set("give giving offer trade")
_TAKING = _set("take keep")
_PAUSES = frozenset({"", *".,;!?"})
_BEFORE_ORDERS = _set("ok okay fine then and deal just so sure yes")
_TOO = _set("too also plus")
_ASKING = _set("how which what why worth points value valueless")
_PROPOSING = ("how about", "what about", "what if")
_WORD = re.compile(r"[a-z']+|\d+|[.,;!?]")


@dataclass(frozen=True, slots=True)
class Offer:
    """What one message names.

    Attributes:
        own: how many books, hats and balls the speaker would take; None where nothing is said of them.
        other: the same of the listener.
        rest: who would take all that is not named; None if that is not said.
        adds: whether it adds to what was proposed before (`i need a hat too`).
    """

    own: _Named = (None, None, None)
    other: _Named = (None, None, None)
    rest: Side | None = None
    adds: bool = False

    @property
    def named(self) -> int:
        """How many kinds of items it gives a number of, counted for each side."""
        return sum(number is not None for number in (*self.own, *self.other))

    def turned(self) -> Offer:
        """The same seen from the listener's side."""
        return Offer(self.other, self.own, None if self.rest is None else _opposite(self.rest), self.adds)

    def completed(self, before: Offer | None) -> Offer:
        """Where nothing is said but who gets the rest: all but what `before` names for the other side."""
        if before is None or self.rest is None or self.named:
            return self
        spared = before.other if self.rest == "own" else before.own
        if all(number is None for number in spared):
            return self
        kept = (spared[0] or 0, spared[1] or 0, spared[2] or 0)
        return Offer(other=kept, rest="own") if self.rest == "own" else Offer(own=kept, rest="other")

    def division(self, counts: Counts, standing: Counts | None = None) -> Counts:
        """What the speaker would take of `counts`.

        What is not named goes to whom `rest` says; stays as it stands where the offer only adds; otherwise it goes to the
        listener, or to the speaker if the listener's part alone is named.

        Args:
            standing: what the speaker would take by what was proposed before.
        """
        only_other = all(number is None for number in self.own)
        takes = []
        for place, count in enumerate(counts):
            own, other = self.own[place], self.other[place]
            if own is not None:
                takes.append(own)
            elif other is not None:
                takes.append(count - other)
            elif self.rest is not None:
                takes.append(count if self.rest == "own" else 0)
            elif self.adds and standing is not None:
                takes.append(standing[place])
            else:
                takes.append(count if only_other else 0)
        return takes[0], takes[1], takes[2]


@lru_cache(maxsize=65536)
def read_offer(text: str, counts: Counts) -> Offer | None:
    """What a message names for either side; None if it names nothing, or only asks about something.

    Items belong to the side named last before them (nobody: the speaker), unless one is named behind them (`two balls for
    me`). A number before an item counts, else all of it are meant.
    """
    words = _WORD.findall(text.lower())
    reader = _Reader(counts)
    for previous, (word, following) in zip(["", *words], pairwise([*words, ""]), strict=False):
        reader.take(word, previous, following)
    found = reader.offer()
    if found is None:
        return None
    asks = not _ASKING.isdisjoint(words) and not any(phrase in text.lower() for phrase in _PROPOSING)
    return None if asks and found.rest is None and found.named < 2 else found


def on_the_table(said: Iterable[tuple[bool, str]], counts: Counts) -> Counts | None:
    """What the first side would take by the last proposal that can be read; None while there is none.

    Args:
        said: the messages in words, in order, each with whether the first side said it.
    """
    return [None, *on_the_table_after(said, counts)][-1]


def on_the_table_after(said: Iterable[tuple[bool, str]], counts: Counts) -> Iterator[Counts | None]:
    """`on_the_table` after each of the messages."""
    last: Offer | None = None  # seen from the first side, as is `takes`
    takes: Counts | None = None
    for by_first, text in said:
        found = read_offer(text, counts)
        if found is not None and by_first:
            last = found.completed(last)
            takes = last.division(counts, takes)
        elif found is not None:
            found = found.completed(last and last.turned())
            takes = left(found.division(counts, takes and left(takes, counts)), counts)
            last = found.turned()
        yield takes


@dataclass(slots=True)
class _Claim:
    side: Side
    item: int | None
    """Index of the item; None for the rest."""
    number: int = 0


@dataclass(slots=True)
class _Reader:
    """Goes through the words and notes who gets what."""

    counts: Counts
    claims: list[_Claim] = field(default_factory=list)
    adds: bool = False
    side: Side = "own"
    """Whose part is spoken of."""
    side_named: bool = False
    number: int | None = None
    """What was said before the next item, if anything."""
    negated: bool = False
    side_from: int = 0
    """The first claim since a side was named."""
    phrase_from: int = 0
    """The first claim of the phrase."""

    def take(self, word: str, previous: str, following: str) -> None:
        """Note what a word changes, given its neighbours."""
        if word in _SIDES:
            self._side(_SIDES[word], word, previous)
        elif word in _TAKING and (previous in _PAUSES or (previous in _BEFORE_ORDERS and not self.side_named)):
            self._speak_of("other")  # an order: `take the hats`
        elif word in _GIVING and self.side == "own" and not self.negated and following and following not in _SIDES:
            self._speak_of("other")
        elif word in _BUT and (previous in _REST or previous == "else"):
            self._speak_of(_opposite(self.side))
        elif word == ",":
            self.phrase_from, self.number = len(self.claims), None
        elif word in _PAUSES:
            self._start("own", named=False)
        elif word in _NOT:
            self.negated = True
        elif word in _GIVING_UP:
            self.negated = False  # `i can't give up the hats` asks for them
        elif word in _TOO or (word == "well" and previous == "as"):
            self.adds = True
        elif word in _NOUNS:
            self._items(_NOUNS[word])
        elif word == "each" and self.number is not None:
            number = self.number
            for item in range(len(self.counts)):
                self.number = number
                self._items(item)
        elif word in _REST:
            if not self.negated:
                self.claims.append(_Claim(self.side, None))
            self.number = None
        elif word in _NUMBERS and self.number != _ALL:  # `all 3 balls`
            self.number = _NUMBERS[word]

    def offer(self) -> Offer | None:
        """What was claimed, the last word on each thing counting; None if nothing was."""
        if not self.claims:
            return None
        named: dict[Side, list[int | None]] = {"own": [None, None, None], "other": [None, None, None]}
        rest: Side | None = None
        for claim in self.claims:
            if claim.item is None:
                rest = claim.side
            else:
                named[claim.side][claim.item] = claim.number
        own, other = named["own"], named["other"]
        return Offer((own[0], own[1], own[2]), (other[0], other[1], other[2]), rest, self.adds)

    def _side(self, side: Side, word: str, previous: str) -> None:
        if word in ("mine", "yours") or (previous in ("for", "to", "with") and word not in ("my", "your")):
            self._hand_over(side)
            return
        if (previous in _REST or previous == "else") and self.claims and self.claims[-1].item is None:
            self.claims[-1].side = side  # `the rest you can have`
        self._speak_of(side)

    def _speak_of(self, side: Side) -> None:
        """`i get ..`: what follows is that side's."""
        self._start(side, named=True)

    def _hand_over(self, side: Side) -> None:
        """`.. for me`: what came before is that side's; where nothing did, what follows is."""
        start = self.phrase_from if self.side_named else self.side_from
        if start == len(self.claims):
            self._speak_of(side)
            return
        for claim in self.claims[start:]:
            claim.side = side
        self._start("own", named=False)

    def _items(self, item: int) -> None:
        count = self.counts[item]
        number = _ALL if self.number is None else self.number
        if not self.negated:
            self.claims.append(_Claim(self.side, item, count // 2 if number == _HALF else min(number, count)))
        self.number = None

    def _start(self, side: Side, *, named: bool) -> None:
        self.side, self.side_named = side, named
        self.side_from = self.phrase_from = len(self.claims)
        self.negated, self.number = False, None


def _opposite(side: Side) -> Side:
    return "other" if side == "own" else "own"


def left(takes: Counts, counts: Counts) -> Counts:
    """What is left for the other side."""
    book, hat, ball = (count - number for number, count in zip(takes, counts, strict=True))
    return book, hat, ball
