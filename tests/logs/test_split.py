"""Persons, not dialogues, are assigned to splits."""

from __future__ import annotations

import pytest

from understudy.errors import LogError
from understudy.logs.split import split_by_person
from understudy.types import Dialogue, Message, Outcome, Task

SHARES = {"align": 0.5, "agent": 0.3, "heldout": 0.2}


def dialogues(persons: int, each: int = 3) -> list[Dialogue]:
    said = (Message("user", "hi"), Message("agent", "bye"))
    return [
        Dialogue(Task("f", f"t-{n}", "", "", {}), f"person-{n % persons}", said, Outcome(0.0, "left"))
        for n in range(persons * each)
    ]


def test_every_dialogue_once_and_no_person_twice() -> None:
    everything = dialogues(20)
    split = split_by_person(everything, SHARES, seed=3)
    persons = {name: {d.person for d in part} for name, part in split.items()}
    assert {name: len(who) for name, who in persons.items()} == {"align": 10, "agent": 6, "heldout": 4}
    assert len(set.union(*persons.values())) == 20
    assert sorted(d.task.id for part in split.values() for d in part) == sorted(d.task.id for d in everything)


def test_it_depends_on_the_seed_and_not_on_the_order() -> None:
    everything = dialogues(20)
    split = split_by_person(everything, SHARES, seed=3)
    assert split_by_person(everything[::-1], SHARES, seed=3) == split
    other = split_by_person(everything, SHARES, seed=4)
    assert {d.person for d in other["align"]} != {d.person for d in split["align"]}


def test_the_first_dialogues_of_a_split_are_a_sample_of_it() -> None:
    first = split_by_person(dialogues(200), {"all": 1.0}, seed=0)["all"][:100]
    # Of 600 dialogues, 3 a person, 100 drawn at random hold about 140 x (1 - (5/6)^3) / .42 = 84 persons; 34 if sorted.
    assert len({d.person for d in first}) > 60


def test_an_empty_split_says_which_and_what_to_do() -> None:
    with pytest.raises(
        LogError, match=r"split 'heldout' \(share 0.01\) is empty.* 10 persons in 30 dialogues"
    ) as caught:
        split_by_person(dialogues(10), {"align": 0.99, "heldout": 0.01}, seed=0)
    assert "raise the share of 'heldout'" in str(caught.value)
    with pytest.raises(LogError, match="split 'align'"):
        split_by_person([], SHARES, seed=0)
    with pytest.raises(LogError, match="share -1 of split 'agent'"):
        split_by_person(dialogues(10), {"align": 1, "agent": -1}, seed=0)
