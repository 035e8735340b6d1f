"""The imperfect agent that wrote the logs of `edit`: it asks too much, forgets, spoils, and stays formal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from understudy.tasks.edit.reading import DRAFT, Draft, Said, read_agent, read_user
from understudy.tasks.edit.words import CASUAL, FORMAL, REGISTER, SLOTS, VALUES, render
from understudy.types import Message, Task

DICTATION_QUESTIONS = (
    "what should it say exactly ?",
    "what should the whole text be ?",
    "what should it say , word for word ?",
    "what exactly should i write ?",
    "could you dictate the text to me ?",
    "please give me the exact wording .",
)
VAGUE_QUESTIONS = (
    "what do you need ?",
    "what else matters here ?",
    "could you give me more details ?",
    "anything else i should know ?",
    "tell me more about it .",
    "how can i improve this ?",
)
SLOT_QUESTIONS: dict[str, tuple[str, ...]] = {
    "name": ("who is it for ?", "who is the recipient ?", "which person gets it ?"),
    "action": ("which action do you ask for ?", "what has to be done ?", "which verb fits ?"),
    "version": ("which version is it ?", "which version do you mean ?", "is there a certain edition ?"),
    "thing": ("which item is it about ?", "which document do you mean ?", "what is the topic ?"),
    "day": ("when is the deadline ?", "when do you need it ?", "which day suits you ?"),
    REGISTER: ("which tone do you prefer ?", "should it be formal or casual ?", "how formal should i be ?"),
}


@dataclass(frozen=True, slots=True)
class Habits:
    """The script's probabilities, each in [0, 1].

    Attributes:
        drafts_first: drafts before anything was asked.
        drafts_next: drafts later on, where the user's last words tell something or push for a draft.
        drafts_lost: drafts after a comment that gives no value.
        asks_slot, asks_text: of the questions, those about one slot, and those to dictate; the rest are vague.
        guesses: fills a slot that nothing is known of (else leaves it out).
        takes_first, takes_rest: uses the first, and each further, value of the user's last words.
        takes_old: uses a value that was told earlier, where the last draft doesn't have it.
        keeps_tone: stays with the register that it has (formal at first) against what the user said.
        changes: after a comment without a value, changes something at random (else repeats the draft).
        spoils: puts another value in place of one that may be right.
        repeats: writes the last draft again, unchanged.
    """

    drafts_first: float = 0.25
    drafts_next: float = 0.78
    drafts_lost: float = 0.3
    asks_slot: float = 0.36
    asks_text: float = 0.4
    guesses: float = 0.6
    takes_first: float = 0.9
    takes_rest: float = 0.4
    takes_old: float = 0.7
    keeps_tone: float = 0.65
    changes: float = 0.5
    spoils: float = 0.12
    repeats: float = 0.1


HABITS = Habits()


def script(task: Task, messages: Sequence[Message], rng: np.random.Generator, habits: Habits = HABITS) -> Message:
    """The script's next message; it reads what was said by the same rules as the users do, and never the goal."""
    heard = [read_user(m.text) for m in messages if m.role == "user"]
    acts = [read_agent(m.text) for m in messages if m.role == "agent"]
    last = next((act.draft for act in reversed(acts) if act.draft), None)
    latest = heard[-1] if heard else Said((), frozenset())
    if not acts:
        share = habits.drafts_first
    elif acts[-1].draft and not latest.values:
        share = habits.drafts_lost
    else:
        share = habits.drafts_next
    if rng.random() < share:
        return Message("agent", f"{DRAFT} {_draft(heard, last, rng, habits)}")
    return Message("agent", _question(latest, rng, habits))


def _question(latest: Said, rng: np.random.Generator, habits: Habits) -> str:
    u = rng.random()
    if u < habits.asks_slot:
        told = {slot for slot, _ in latest.values}
        # What the user has just complained of comes first, most of the time.
        open_slots = sorted(s for s in latest.named if s in SLOT_QUESTIONS and s not in told)
        if not open_slots or rng.random() < 0.2:
            open_slots = [*SLOTS, REGISTER]
        return _pick(SLOT_QUESTIONS[_pick(open_slots, rng)], rng)
    return _pick(DICTATION_QUESTIONS if u < habits.asks_slot + habits.asks_text else VAGUE_QUESTIONS, rng)


def _draft(heard: Sequence[Said], last: Draft | None, rng: np.random.Generator, habits: Habits) -> str:
    latest = heard[-1] if heard else Said((), frozenset())
    told = {slot: value for said in heard for slot, value in said.values}
    values = dict(zip(SLOTS, last.values if last else (None,) * len(SLOTS), strict=True))
    register = (last.register if last else None) or FORMAL
    if last and rng.random() < habits.repeats:
        return render(last.values, register)
    fresh = [slot for slot, _ in latest.values if slot != REGISTER]
    for slot in SLOTS:
        share = habits.takes_old
        if slot in fresh:
            share = habits.takes_first if slot == fresh[0] else habits.takes_rest
        if slot in told and rng.random() < share:
            values[slot] = told[slot]
        elif values[slot] is None and rng.random() < habits.guesses:
            values[slot] = _pick(VALUES[slot], rng)
    if told.get(REGISTER, register) != register and rng.random() >= habits.keeps_tone:
        register = told[REGISTER]
    if last and not latest.values and rng.random() < habits.changes:
        register = _change(values, register, latest, rng)
    if last and rng.random() < habits.spoils:
        slot = _pick(SLOTS, rng)
        values[slot] = _pick(VALUES[slot], rng)
    return render([values[slot] for slot in SLOTS], register)


def _change(values: dict[str, str | None], register: str, latest: Said, rng: np.random.Generator) -> str:
    """Change what was complained of, or anything, to something else; returns the register, changed or not."""
    slot = _pick(sorted(s for s in latest.named if s in SLOT_QUESTIONS) or [*SLOTS, REGISTER], rng)
    if slot == REGISTER:
        return CASUAL if register == FORMAL else FORMAL
    values[slot] = _pick([value for value in VALUES[slot] if value != values[slot]], rng)
    return register


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
