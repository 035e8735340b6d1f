"""The things on the table: counts, private values, splits, and the price list that each side is shown."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product

from understudy.errors import UnderstudyError

KINDS = ("book", "hat", "ball")
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TOTAL = 10
"""Worth of all items together, to either side, in points."""

Triple = tuple[int, int, int]
"""One number for each kind, in the order of `KINDS`: how many there are, what one is worth, how many one side gets."""


def points(share: Triple, values: Triple) -> int:
    """Worth of a share, in [0, 10] for a share of what is on the table."""
    return share[0] * values[0] + share[1] * values[1] + share[2] * values[2]


def rest(counts: Triple, share: Triple) -> Triple:
    """What is left for the other side."""
    return (counts[0] - share[0], counts[1] - share[1], counts[2] - share[2])


@lru_cache(maxsize=64)
def shares(counts: Triple) -> tuple[Triple, ...]:
    """Every share that one side can get, from nothing to everything."""
    return tuple((a, b, c) for a, b, c in product(*(range(n + 1) for n in counts)))


@lru_cache(maxsize=1)
def tables() -> tuple[Triple, ...]:
    """Every set of items: 1 to 3 of each kind, 5 to 7 in all."""
    return tuple((a, b, c) for a, b, c in product(range(1, 4), repeat=3) if 5 <= a + b + c <= 7)


@lru_cache(maxsize=64)
def valuations(counts: Triple) -> tuple[Triple, ...]:
    """Every way to value the items at 10 points in all, where at least two kinds are worth something."""
    return tuple(
        (a, b, c)
        for a, b, c in product(range(TOTAL), repeat=3)
        if points(counts, (a, b, c)) == TOTAL and (a > 0) + (b > 0) + (c > 0) >= 2
    )


def is_pareto(counts: Triple, user_share: Triple, agent_values: Triple, user_values: Triple) -> bool:
    """Whether no other split is better for one side and not worse for the other."""
    user = points(user_share, user_values)
    agent = points(rest(counts, user_share), agent_values)
    for other in shares(counts):
        u, a = points(other, user_values), points(rest(counts, other), agent_values)
        if u >= user and a >= agent and u + a > user + agent:
            return False
    return True


def best_total(counts: Triple, agent_values: Triple, user_values: Triple) -> int:
    """Most points that the two sides can get together, in [10, 20]: each kind goes to whoever values it more."""
    return sum(n * max(a, u) for n, a, u in zip(counts, agent_values, user_values, strict=True))


def name(kind: int, count: int) -> str:
    return KINDS[kind] if count == 1 else KINDS[kind] + "s"


def price_list(counts: Triple, values: Triple) -> str:
    """One side's prompt: what any number of each kind is worth to it, `1 book = 2 , 2 books = 4 ; 1 hat = 3 ; ...`.

    A list of prices and not a value per item, so that worth is looked up and added, never multiplied.
    """
    return " ; ".join(
        " , ".join(f"{n} {name(kind, n)} = {n * value}" for n in range(1, count + 1))
        for kind, (count, value) in enumerate(zip(counts, values, strict=True))
    )


_PRICE = re.compile(r"(\d+) (book|hat|ball)s? = (\d+)")


@lru_cache(maxsize=4096)
def read_price_list(prompt: str) -> tuple[Triple, Triple]:
    """The counts and values that `price_list` was made from.

    Raises:
        UnderstudyError: if a kind is missing.
    """
    counts, values = [0, 0, 0], [0, 0, 0]
    for count, kind, worth in _PRICE.findall(prompt):
        index = KINDS.index(kind)
        if int(count) > counts[index]:
            counts[index], values[index] = int(count), int(worth) // int(count)
    if 0 in counts:
        raise UnderstudyError(
            f"no price for {KINDS[counts.index(0)]}s in {prompt!r}",
            where="haggle prompt",
            fix="write it as `1 book = 2 , 2 books = 4 ; 1 hat = 3 ; 1 ball = 3`",
        )
    return (counts[0], counts[1], counts[2]), (values[0], values[1], values[2])
