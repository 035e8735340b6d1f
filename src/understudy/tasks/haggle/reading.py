"""The fixed rule that reads any text as what a listener understood: an offer, an acceptance, a refusal, ..."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from understudy.tasks.grammar import typo_variants
from understudy.tasks.haggle.items import Triple
from understudy.tasks.haggle.phrase import Bundle, Side

ActKind = Literal["offer", "impossible", "accept", "refuse", "leave", "ask", "wish", "unclear"]


@dataclass(frozen=True, slots=True)
class Act:
    """What was understood.

    Attributes:
        kind: `impossible` is an offer of more items than there are; `wish` only names what the speaker is after.
        share: of an offer, what the *speaker* would get; the rest goes to the other side.
        wanted: kinds (0 books, 1 hats, 2 balls) that the speaker says it needs or likes, without claiming a number.
    """

    kind: ActKind
    share: Triple | None = None
    wanted: tuple[int, ...] = ()


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_BREAKS = _set(", . ; : ! ? but because since")
_SIDES: dict[str, Side] = {
    **dict.fromkeys(_set("i me im ill id ive mine"), "me"),
    **dict.fromkeys(_set("you u youll youd yours"), "you"),
}
_NUMBERS = {str(n): n for n in range(10)} | {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "both": 2}
_KINDS = {"book": 0, "books": 0, "hat": 1, "hats": 1, "ball": 2, "balls": 2}
_ALL = _set("all every")
_REST = _set("rest remaining remainder others else")
_HINTS = _set("need needs love loves collect matter matters care prefer enjoy worth after because since")
_NOT = _set("not dont cant cannot never wont doesnt isnt didnt")
_NO = _set("no nope nah refuse refused reject too sorry neither")
_YES = _set("deal agree agreed accept accepted ok okay yes yeah yep sure fine perfect settled sold")
_YES_PAIRS = {(a, b) for a in ("sound", "sounds") for b in ("good", "great")} | {
    ("works", "for"),
    ("work", "for"),
    ("take", "it"),
    ("happy", "with"),
}
_GOODBYE = _set("bye goodbye leaving farewell quit")
_GOODBYE_PAIRS = {("give", "up"), ("am", "out"), ("im", "out"), ("forget", "it")}
_ASKING = _set("what which how who why")
_FILLING = _set("the of other more it them those these my your")

_LEXICON: frozenset[str] = frozenset().union(
    _SIDES, _BREAKS, _NUMBERS, _KINDS, _ALL, _REST, _HINTS, _NOT, _NO, _YES, _GOODBYE, _ASKING, _FILLING
) | _set("like would give works work sounds sound good great happy take everything nothing forget except")
# Not repaired: right words that are also slips of a word above (`can` of `cant`), and slips of other words (`wnt`).
_RIGHT = _set("can car cat ever has hate hot there thee tree tale tae won wnt old")
_REPAIRED = {slip: w for w in sorted(_LEXICON) for slip, _ in typo_variants(w) if slip not in _LEXICON | _RIGHT}
_WORD = re.compile(r"[a-z]+|\d+|[,.;:!?]")


def words(text: str) -> list[str]:
    """Lower-case words, digits and punctuation, with misspellings of the words that matter put right."""
    tokens = [_REPAIRED.get(word, word) for word in _WORD.findall(text.lower().replace("'", "").replace("’", ""))]
    for i, (before, token) in enumerate(pairwise(tokens), start=1):
        if token == "has" and (before in _NUMBERS or before in _ALL or before == "the"):
            tokens[i] = "hats"
        elif token == "your" and before == "is":
            tokens[i] = "yours"
    return tokens


def clauses(tokens: list[str]) -> list[list[str]]:
    """Tokens cut at punctuation and at `but`, `because`, `since`; each of these begins the clause after it."""
    result: list[list[str]] = [[]]
    for token in tokens:
        if token in _BREAKS:
            result.append([])
        result[-1].append(token)
    return result


@lru_cache(maxsize=65536)
def read(text: str, counts: Triple) -> Act:
    """What a listener understands, given how many items there are.

    A text that names a split is an offer, whatever else it says; then goodbyes, refusals, acceptances (unless asked as
    a question), wishes and questions are looked for, in this order. Clauses with a `not` claim nothing, clauses about
    needs (`i need the hats more`) only name what is wanted.
    """
    tokens = words(text)
    bundle = Bundle()
    for clause in clauses(tokens):
        pairs = set(pairwise(clause))
        liked = "like" in clause and not pairs & {("would", "like"), ("id", "like"), ("youd", "like")}
        if liked or not _HINTS.isdisjoint(clause) or pairs & {("do", "you"), ("do", "u")}:
            _note_wishes(clause, bundle)
        elif _NOT.isdisjoint(clause):
            _note_claims(clause, counts, bundle)
        bundle.end_clause()
    share = bundle.share(counts)
    if share == "impossible":
        return Act("impossible")
    if share is not None:
        return Act("offer", share)
    return Act(_without_offer(tokens, bool(bundle.wanted)), None, tuple(sorted(bundle.wanted)))


def _note_wishes(clause: list[str], bundle: Bundle) -> None:
    if "you" not in clause and "u" not in clause and _NOT.isdisjoint(clause):
        bundle.wanted.update(_KINDS[token] for token in clause if token in _KINDS)


def _note_claims(clause: list[str], counts: Triple, bundle: Bundle) -> None:
    pending: int | Literal["all"] | None = None
    previous = ""
    for token, following in pairwise([*clause, "."]):
        if token in ("but", "except") and bundle.said_everything:
            bundle.flip()
        elif token in _SIDES:
            if token in ("mine", "yours") or previous in ("for", "to"):
                bundle.hand_over(_SIDES[token])
            else:
                bundle.speak_of(_SIDES[token])
        elif token == "no" and following in _KINDS:
            pending = 0
        elif token in _NUMBERS:
            pending = _NUMBERS[token]
        elif token in _ALL:
            pending = "all"
        elif token in _KINDS:
            kind = _KINDS[token]
            bundle.add(kind, counts[kind] if pending is None or pending == "all" else pending)
            pending = None
        elif token in _REST:
            bundle.add_rest()
            pending = None
        elif token == "everything" and following != "else":
            bundle.add_everything()
        elif token == "nothing":
            bundle.add_nothing()
        elif token not in _FILLING:
            pending = None
        previous = token
    if pending == "all":
        bundle.add_everything()


def _without_offer(tokens: list[str], wishes: bool) -> ActKind:
    said, pairs = set(tokens), set(pairwise(tokens))
    if said & _GOODBYE or pairs & _GOODBYE_PAIRS:
        return "leave"
    if said & (_NO | _NOT):
        return "refuse"
    asked = "?" in said
    if not asked and (said & _YES or pairs & _YES_PAIRS):
        return "accept"
    if wishes:
        return "wish"
    return "ask" if asked or said & _ASKING else "unclear"
