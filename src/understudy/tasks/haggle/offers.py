"""How a split is put into words: a regular core (`i get 2 books and 1 hat , you get the rest`) with paraphrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from understudy.tasks.grammar import Choice, Concat, Expression, Literal, Typed
from understudy.tasks.haggle.items import Triple, name, rest


@dataclass(frozen=True, slots=True)
class Voice:
    """How somebody writes.

    Attributes:
        name: of the voice.
        typo: probability that a word is misspelt.
        spelled: probability that a number is a word (`two hats`); `whole`: that all of a kind is said in one word.
        mine, yours, leaves, asks: sentence openings around the items.
    """

    name: str
    typo: float
    spelled: float
    whole: float
    mine: tuple[str, ...]
    yours: tuple[str, ...]
    leaves: tuple[str, ...]
    asks: tuple[str, ...]


CAREFUL = Voice(
    "careful",
    typo=0.0,
    spelled=0.15,
    whole=0.2,
    mine=("i get", "i take", "i keep", "i would like", "i will take"),
    yours=("you get", "you take", "you can have", "you may keep"),
    leaves=(", you get the rest", "and you get the rest", ", the rest is yours", ", you can have everything else"),
    asks=("may i have", "could i have", "would you give me", "can i have"),
)
CASUAL = Voice(
    "casual",
    typo=0.03,
    spelled=0.0,
    whole=0.2,
    mine=("i get", "i take", "i want", "ill take", "let me get"),
    yours=("you get", "u get", "you take", "u can have"),
    leaves=(", you get the rest", ", u get the rest", "and the rest is yours", ", rest for you"),
    asks=("can i have", "can i get", "gonna give me", "how about i take"),
)
AGENT = Voice(
    "agent",
    typo=0.0,
    spelled=0.1,
    whole=0.15,
    mine=("i get", "i take", "i will take", "i would take", "i keep"),
    yours=("you get", "you take", "i give you", "you can have"),
    leaves=(", you get the rest", "and you get the rest", ", the rest is yours", ", everything else is for you"),
    asks=("can i have", "could i get", "may i take", "how about i take"),
)


def either(options: Sequence[str], typo: float = 0.0) -> Expression:
    """One of several phrases, equally likely, typed with slips."""
    return Choice([Typed(option, typo) for option in options])


@lru_cache(maxsize=256)
def _quantity(kind: int, count: int, there_are: int, voice: Voice) -> Expression:
    noun = name(kind, count)
    digit, spelled = f"{count} {noun}", f"{('one', 'two', 'three')[count - 1]} {noun}"
    forms, weights = [digit, spelled], [1 - voice.spelled, voice.spelled]
    if count == there_are:
        whole = (f"the {noun}", f"both {noun}", f"all the {noun}")[count - 1]
        forms, weights = [*forms, whole], [*(w * (1 - voice.whole) for w in weights), voice.whole]
    return Choice([Typed(form, voice.typo) for form in forms], weights)


@lru_cache(maxsize=2048)
def _items(share: Triple, counts: Triple, voice: Voice) -> Expression:
    named = [_quantity(k, n, counts[k], voice) for k, n in enumerate(share) if n]
    joints = [Literal(" , ")] * (len(named) - 2) + [Literal(" and ")] * (len(named) > 1)
    parts: list[Expression] = [named[0]]
    for joint, item in zip(joints, named[1:], strict=True):
        parts += [joint, item]
    return Concat(parts)


@lru_cache(maxsize=4096)
def offer(share: Triple, counts: Triple, voice: Voice, tail: Expression) -> Expression:
    """Words in which a speaker claims `share` for itself and leaves the rest to the other side.

    `tail` follows, except after a question.
    """
    typo, space = voice.typo, Literal(" ")
    left = rest(counts, share)
    mine, yours = either(voice.mine, typo), either(voice.yours, typo)
    if not any(left):
        claim = Concat([mine, space, either(("everything", "all of it"), typo)])
        return Concat([Choice([claim, Typed("i want it all", typo)]), tail])
    if not any(share):
        return Concat([yours, space, either(("everything", "all of it"), typo), tail])
    get, give = _items(share, counts, voice), _items(left, counts, voice)
    # The shorter list is the likelier to be said.
    shorter = 0.15 if sum(map(bool, share)) <= sum(map(bool, left)) else 0.45
    return Choice(
        [
            Concat([mine, space, get, space, either(voice.leaves, typo), tail]),
            Concat([yours, space, give, space, either(("and i get the rest", ", i take the rest"), typo), tail]),
            Concat([mine, space, get, Literal(" and "), yours, space, give, tail]),
            Concat([either(voice.asks, typo), space, get, Literal(" ?")]),
        ],
        (0.8 - shorter, shorter, 0.07, 0.13),
    )
