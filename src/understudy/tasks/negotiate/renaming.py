"""The same negotiation with the items' names exchanged: books, hats and balls differ in nothing but their worth."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from understudy.tasks.negotiate.interface import as_shown
from understudy.tasks.negotiate.items import (
    ITEMS,
    Counts,
    Scenario,
    make_task,
    public,
    read_selection,
    scenario_of,
    selection_text,
)
from understudy.types import Dialogue, Message

_Places = tuple[int, int, int]
"""Where each of `ITEMS` goes."""


def renamed(dialogue: Dialogue) -> list[Dialogue]:
    """The dialogue with the items' names exchanged in each of the five other ways, in words, values and selections.

    What the interface shows beside the words is exchanged as well, where it shows anything.

    For fitting alone: what a model learns about one item it learns about all three. Measurements take dialogues as they are.
    """
    orders: list[_Places] = [(a, b, c) for a, b, c in permutations(range(3)) if (a, b, c) != (0, 1, 2)]
    return [_renamed(dialogue, places) for places in orders]


def _renamed(dialogue: Dialogue, places: _Places) -> Dialogue:
    task, scenario = dialogue.task, scenario_of(dialogue.task.goal)
    moved = Scenario(
        *(_moved(numbers, places) for numbers in (scenario.counts, scenario.values, scenario.other_values))
    )
    new = dict(zip((*ITEMS, "basketball"), (*(ITEMS[place] for place in places), _basketball(places)), strict=True))
    names = {form.format(old): form.format(name) for old, name in new.items() for form in ("{}", "{}s")}
    messages = tuple(_reworded(message, names, places) for message in dialogue.messages)
    if any(message.shown for message in messages):
        messages = as_shown(moved.counts, messages)
    return replace(dialogue, task=make_task(task.family, task.id, moved, opener=task.opener), messages=messages)


def _basketball(places: _Places) -> str:
    """What a ball is called once its name is exchanged, where it was called a basketball."""
    name = ITEMS[places[ITEMS.index("ball")]]
    return "basketball" if name == "ball" else name


def _reworded(message: Message, names: dict[str, str], places: _Places) -> Message:
    selection = read_selection(message.text)
    if selection is None:
        text = " ".join(names.get(word, word) for word in message.text.split(" "))
    elif selection.takes is None:
        text = message.text
    else:
        text = selection_text(_moved(selection.takes, places))
    reworded = replace(message, text=text)
    return replace(reworded, public=public(reworded))


def _moved(numbers: Counts, places: _Places) -> Counts:
    found = [0, 0, 0]
    for number, place in zip(numbers, places, strict=True):
        found[place] = number
    return found[0], found[1], found[2]
