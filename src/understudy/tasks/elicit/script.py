"""The imperfect agent that wrote the logs of `elicit`: it guesses, asks too much at once, repeats itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from understudy.tasks.elicit.reading import read_agent, told_values
from understudy.tasks.elicit.words import SLOTS, VALUES, render_final
from understudy.types import Message, Task

SLOT_QUESTIONS: dict[str, tuple[str, ...]] = {
    "size": (
        "what size would you like ?",
        "which size ?",
        "which cup should i take ?",
        "what cup size do you need ?",
        "may i ask for the size ?",
        "how large should it be ?",
    ),
    "drink": (
        "what would you like to drink ?",
        "which drink can i make you ?",
        "what drink is it going to be ?",
        "which drink ?",
        "what are you drinking today ?",
        "which beverage do you want ?",
    ),
    "milk": (
        "which milk do you prefer ?",
        "what kind of milk ?",
        "what milk should go in ?",
        "which milk ?",
        "do you have a favourite milk ?",
        "any preference for the milk ?",
    ),
    "extra": (
        "which extra would you like ?",
        "what flavour do you want ?",
        "which topping should i add ?",
        "any extra ?",
        "what extra can i offer you ?",
        "which flavour goes with it ?",
    ),
}
MANY_QUESTIONS = (
    "what size , drink , milk and extra do you want ?",
    "please give me the complete order .",
    "tell me everything i need to know .",
    "which size , which milk , which extra ?",
    "could you list the details of your order ?",
    "what is your entire order ?",
)
VAGUE_QUESTIONS = (
    "what would you like ?",
    "how can i help you ?",
    "what can i get for you ?",
    "can you tell me more ?",
    "go on .",
    "how do you like your coffee ?",
    "is there more to say ?",
    "and then ?",
)
CHANGE_QUESTIONS = (
    "anything you want to change ?",
    "is that all right ?",
    "would you change any of it ?",
    "is the order correct so far ?",
    "do you want anything different ?",
    "any second thoughts ?",
    "are you happy with that ?",
)
OPENERS = ("okay .", "sure .", "got it .", "thank you .", "very good .", "lovely .", "noted .", "one moment .")


@dataclass(frozen=True, slots=True)
class Habits:
    """The script's probabilities, each in [0, 1].

    Attributes:
        answers: gives the final answer, by the number of slots that it does not know (0 to 4); it guesses those.
        many: of the questions, those for everything at once.
        vague: of the questions, those that are vague.
        repeats: of the questions, those for a slot that is known.
        pairs: of the questions, those for two slots where two are unknown.
        changes: asks whether anything should change, by the number of slots that it does not know (at most once).
        misreads: puts another value in place of a right one in the final answer.
        acknowledges: begins a question with a few words of thanks.
    """

    answers: tuple[float, ...] = (0.8, 0.38, 0.08, 0.03, 0.03)
    many: float = 0.08
    vague: float = 0.05
    repeats: float = 0.06
    pairs: float = 0.35
    changes: tuple[float, ...] = (0.35, 0.1, 0.02, 0.0, 0.0)
    misreads: float = 0.02
    acknowledges: float = 0.35


HABITS = Habits()


def script(task: Task, messages: Sequence[Message], rng: np.random.Generator, habits: Habits = HABITS) -> Message:
    """The script's next message; it reads what was said by the same rules as the users do, and never the goal."""
    told = told_values(messages)
    unknown = [slot for slot in SLOTS if slot not in told]
    asked_changes = any(m.role == "agent" and read_agent(m.text).kind == "change" for m in messages)
    if not asked_changes and rng.random() < habits.changes[len(unknown)]:
        return _question(CHANGE_QUESTIONS, rng, habits)
    if rng.random() < habits.answers[len(unknown)]:
        return Message("agent", _answer(told, rng, habits))
    u = rng.random()
    for share, questions in ((habits.many, MANY_QUESTIONS), (habits.vague, VAGUE_QUESTIONS)):
        if u < share:
            return _question(questions, rng, habits)
        u -= share
    if not unknown or (len(unknown) < len(SLOTS) and u < habits.repeats):
        return _question(SLOT_QUESTIONS[_pick(sorted(told), rng)], rng, habits)
    if len(unknown) > 1 and rng.random() < habits.pairs:
        first, second = (unknown[i] for i in rng.permutation(len(unknown))[:2])
        return _question((f"which {first} and which {second} ?", f"what {first} , and what {second} ?"), rng, habits)
    return _question(SLOT_QUESTIONS[_pick(unknown, rng)], rng, habits)


def _answer(told: dict[str, str], rng: np.random.Generator, habits: Habits) -> str:
    values = {slot: told.get(slot) or _pick(VALUES[slot], rng) for slot in SLOTS}
    if rng.random() < habits.misreads:
        slot = _pick(SLOTS, rng)
        values[slot] = _pick([value for value in VALUES[slot] if value != values[slot]], rng)
    return render_final(values)


def _question(questions: Sequence[str], rng: np.random.Generator, habits: Habits) -> Message:
    opener = f"{_pick(OPENERS, rng)} " if rng.random() < habits.acknowledges else ""
    return Message("agent", opener + _pick(questions, rng))


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
