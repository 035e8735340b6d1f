"""What is read from free English, against readings by hand, and against what people agreed on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from understudy.logs.deal_or_no_deal import read_negotiations
from understudy.tasks.negotiate.interface import as_shown, shown
from understudy.tasks.negotiate.offers import Offer, on_the_table, read_offer
from understudy.types import Message

COUNTS = (1, 3, 1)
REAL = (
    Path(os.environ.get("UNDERSTUDY_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    / "deal_or_no_deal"
)


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("i would like the book and two hats", (1, 2, 0)),
        ("give me a hat .", (0, 1, 0)),
        ("gimme both hats", (0, 3, 0)),
        ("you can have the hats", (1, 0, 1)),
        ("you can have 1 hat", (1, 2, 1)),
        ("i'll just take the hats", (0, 3, 0)),
        ("ok take the hats", (1, 0, 1)),
        ("then i keep the ball . keep the book yourself", (0, 0, 1)),
        ("i can give two hats", (1, 1, 1)),
        ("i take the ball , you can have the rest", (0, 0, 1)),
        ("you take the book , i take the rest", (0, 3, 1)),
        ("the basketball for me and the rest is yours", (0, 0, 1)),
        ("the book to you , all the hats and the ball to me", (0, 3, 1)),
        ("i want the ball the rest you can have", (0, 0, 1)),
        ("1 book , 1 hat for me ; 2 hats , 1 ball for you ?", (1, 1, 0)),
        ("i get everything but the ball", (1, 3, 0)),
        ("one of each for me", (1, 1, 1)),
        ("can we split the hats ? the ball is yours", (0, 1, 0)),
        ("i need 9 hats", (0, 3, 0)),
        ("i want everything", (1, 3, 1)),
        ("i don't need the book , i want the ball", (0, 0, 1)),
        ("i can't give up the book", (1, 0, 0)),
        ("how about all 3 hats ?", (0, 3, 0)),
    ],
)
def test_what_a_message_asks_for(text: str, takes: tuple[int, int, int]) -> None:
    found = read_offer(text, COUNTS)
    assert found is not None
    assert found.division(COUNTS) == takes


@pytest.mark.parametrize(
    "text", ["hi there", "what do you want ?", "how much is the book worth to you ?", "deal", "not the hats", ""]
)
def test_messages_that_ask_for_nothing(text: str) -> None:
    assert read_offer(text, COUNTS) is None


def test_an_offer_by_hand() -> None:
    assert read_offer("you get the ball and i need a hat too", COUNTS) == Offer(
        own=(None, 1, None), other=(None, None, 1), rest=None, adds=True
    )
    assert Offer((1, None, None), (None, 2, None), "own").turned() == Offer((None, 2, None), (1, None, None), "other")


@pytest.mark.parametrize(
    ("texts", "takes"),
    [
        ((), None),
        (("hi", "hello"), None),
        (("i want the book", "ok deal"), (1, 0, 0)),
        # The last proposal stands, whoever made it.
        (("i want the book", "the book and the ball for me"), (0, 3, 0)),
        # `the rest` is what the other side did not ask for.
        (("i only need two hats", "then everything else is mine ?", "yes"), (0, 2, 0)),
        (("i only need two hats", "i take the rest", "deal"), (0, 2, 0)),
        # What is asked for in addition leaves the rest as it stands.
        (("you get the book , i keep the rest", "i need a hat as well", "deal"), (0, 2, 1)),
        # After an offer of the second side, the first asks for more.
        (("hi", "i take the hats and the book", "one hat too please"), (0, 1, 1)),
    ],
)
def test_what_lies_on_the_table(texts: tuple[str, ...], takes: tuple[int, int, int] | None) -> None:
    assert on_the_table([(i % 2 == 0, text) for i, text in enumerate(texts)], COUNTS) == takes
    # Seen from the other side it is what is left.
    left = None if takes is None else tuple(count - number for count, number in zip(COUNTS, takes, strict=True))
    assert on_the_table([(i % 2 == 1, text) for i, text in enumerate(texts)], COUNTS) == left


def test_each_side_is_shown_its_own_part_and_no_selection() -> None:
    messages = [Message("agent", "hi"), Message("user", "i want the book and a hat"), Message("agent", "deal")]
    assert [shown(COUNTS, messages[: n + 1]) for n in range(3)] == ["", "your part 0 2 1", "your part 1 1 0"]
    # A selection is private: nothing of it is shown, whatever it says.
    messages += [Message("user", "<selection> 1 3 1", public="<selection>"), Message("agent", "<selection> 0 2 1")]
    assert [m.shown for m in as_shown(COUNTS, messages)] == [
        "",
        "your part 0 2 1",
        "your part 1 1 0",
        "your part 0 2 1",
        "",
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason="the Deal or No Deal corpus is not there (see UNDERSTUDY_DATA)")
def test_people_agreed_on_what_is_read() -> None:
    """The rules were written on `train.txt`; in `val.txt` they read nine of ten agreements as people did."""
    agreed = [n for n in read_negotiations(REAL / "val.txt")[0] if n.ending == "agreed"]
    read = [on_the_table([(i % 2 == 0, text) for i, text in enumerate(n.texts)], n.counts) for n in agreed]
    right = sum(takes == n.first_takes for takes, n in zip(read, agreed, strict=True))
    assert right > 0.85 * len(agreed) > 100
