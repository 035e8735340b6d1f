"""What the users of `elicit` say: fragments in words, and the expressions made of them (built once, then shared)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from understudy.tasks.elicit.words import SURFACES
from understudy.tasks.grammar import Choice, Concat, Expression, Literal, Typed

# {slot} is a word for its value. No fragment holds a word for a value, and only CHANGES hold `reading.CHANGE_CUES`.
CLAUSES: dict[str, tuple[str, ...]] = {
    "size": (
        "{size}",
        "a {size} one",
        "the {size} cup",
        "i would go for {size}",
        "something {size} would be great",
        "{size} should be enough",
        "the {size} size",
        "my cup should be {size}",
        "i usually take {size}",
        "{size} fits my bag",
    ),
    "drink": (
        "a {drink}",
        "{drink}",
        "i would love a {drink}",
        "the {drink}",
        "i feel like a {drink} today",
        "my usual {drink}",
        "today i fancy a {drink}",
        "a {drink} sounds lovely",
        "i came here for the {drink}",
        "only a {drink} wakes me up",
    ),
    "milk": (
        "{milk} milk",
        "with {milk} milk",
        "i prefer {milk}",
        "the {milk} kind",
        "only {milk} agrees with me",
        "pour in {milk} milk",
        "my stomach likes {milk} best",
        "we always buy {milk} at home",
    ),
    "extra": (
        "{extra}",
        "some {extra}",
        "a bit of {extra}",
        "{extra} on top",
        "add a spoon of {extra}",
        "with a hint of {extra}",
        "plenty of {extra}",
        "nothing beats {extra}",
        "i can't resist {extra}",
        "sprinkle {extra} over it",
    ),
}
OPENINGS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("size",): (
        "i would like something {size}",
        "one {size} cup for me",
        "could you make me a {size} one ?",
        "i want to order , a {size} one",
    ),
    ("drink",): (
        "can i get a {drink} ?",
        "a {drink} for me",
        "i am here for a {drink}",
        "do you still have {drink} ? i want one",
        "i need a {drink} before work",
    ),
    ("milk",): (
        "anything with {milk} milk",
        "i want something with {milk} milk",
        "do you serve {milk} milk ? then i order",
        "my coffee needs {milk} milk",
    ),
    ("extra",): (
        "i am craving something with {extra}",
        "could i have a cup with {extra} ?",
        "i want to treat myself to {extra}",
        "whatever it is , put {extra} in",
    ),
    ("size", "drink"): (
        "a {size} {drink}",
        "i would like a {size} {drink}",
        "could i have one {drink} , {size} ?",
        "please prepare a {size} {drink} for me",
    ),
    ("size", "milk"): (
        "i want a {size} cup with {milk} milk",
        "something {size} , on {milk} milk",
        "make me a {size} one with {milk}",
    ),
    ("size", "extra"): (
        "something {size} with {extra}",
        "a {size} cup , and {extra} in it",
        "i need a {size} one with {extra}",
    ),
    ("drink", "milk"): (
        "a {drink} with {milk} milk",
        "i would like my {drink} with {milk}",
        "do you make {drink} with {milk} milk ?",
    ),
    ("drink", "extra"): (
        "a {drink} with {extra}",
        "can i have {extra} in a {drink} ?",
        "i will take the {drink} , plus {extra}",
    ),
    ("milk", "extra"): (
        "something on {milk} milk with {extra}",
        "i want {milk} milk and {extra} in my coffee",
        "mix {milk} milk and {extra} for me",
    ),
}
CHANGES: dict[str, tuple[str, ...]] = {
    "size": (
        "actually make it {size}",
        "i would rather have the {size} cup",
        "make it a {size} one instead",
        "please switch to {size}",
    ),
    "drink": (
        "actually make it a {drink}",
        "i would rather have a {drink}",
        "give me a {drink} instead",
        "please swap it for a {drink}",
    ),
    "milk": (
        "actually make it {milk}",
        "i would rather have {milk} milk",
        "use {milk} milk instead",
        "please switch to {milk}",
    ),
    "extra": (
        "actually make it {extra}",
        "i would rather have {extra} in it",
        "put {extra} in instead",
        "please swap that for {extra}",
    ),
}
CHANGE_LEADS = ("wait ,", "oh ,", "on reflection ,", "hmm ,", "sorry ,", "now that i think of it ,", "you know what ,")
GREETINGS = (
    "hi ,",
    "hello ,",
    "hey there ,",
    "good morning ,",
    "good afternoon ,",
    "excuse me ,",
    "hello again ,",
    "it's me again ,",
)
CHATTY_LEADS = (
    "oh ,",
    "well ,",
    "sure ,",
    "hmm ,",
    "let me see ,",
    "good question ,",
    "thanks for asking ,",
    "yes ,",
    "ah ,",
    "easy ,",
    "of course ,",
)
TERSE_LEADS = ("just", "ok ,", "um ,", "yeah ,")
TAILS = (
    ", please",
    ", thanks",
    ", if possible",
    ", as always",
    ", like yesterday",
    ", that would be kind",
    ", it's my favourite",
    ", my doctor insists",
    ", you can't go wrong with that",
    ", i guess",
    ", don't tell my mother",
    ", winter is coming",
    ", just this once",
    ", my treat",
)
SKIPS = (
    "not sure yet , what else do you need ?",
    "let me think about that , ask me something else",
    "can we come back to that soon ?",
    "i have to think about it",
    "no idea yet , next question",
    "hold on , my phone is ringing",
    "sorry , i was distracted for a moment",
    "that is hard , give me a minute",
    "it is so loud in here , one moment",
    "my friend is still deciding , hang on",
    "i can't decide that now",
    "wait until i have read the menu",
    "my colleague keeps talking , what was that ?",
    "both are tempting , i can't choose",
)
CONFUSED = (
    "what do you mean ?",
    "sorry , i did not get that",
    "pardon ? i don't follow",
    "can you be more specific ?",
    "i don't know how to answer that",
    "what exactly do you want to know ?",
    "huh ?",
    "that question makes no sense to me",
    "the music drowns you out , say it again ?",
    "i lost the thread",
)
OVERWHELMED = (
    "one thing at a time",
    "slow down , that is a lot of questions",
    "too many questions at once",
    "not so fast",
    "whoa , one after another",
    "who can remember so many questions",
    "my head is spinning , ask step by step",
)
REPEATED = (
    "as i said ,",
    "i told you already ,",
    "again ,",
    "like i mentioned ,",
    "were you listening ?",
    "still",
    "once more ,",
    "you asked me that before ,",
)
KEEPS = (
    "no , that is fine",
    "nope , all good",
    "no , leave it like that",
    "perfect , go ahead",
    "that suits me , thanks",
    "no , keep it",
    "i wouldn't touch a thing",
    "no , it stays as it is",
    "nothing to add from my side",
    "no , that settles it",
    "the order stands",
)
PARTINGS = (
    "forget it , i am leaving",
    "this takes too long , bye",
    "forget that , i will go elsewhere",
    "i don't have time for this",
    "sorry , my bus is here",
    "this is going nowhere , goodbye",
    "enough , the queue behind me is angry",
    "the place next door is faster",
    "i give up",
    "the shop around the corner is friendlier",
    "my train won't wait",
)


@lru_cache(maxsize=512)
def typed(options: tuple[str, ...], typo: float) -> Expression:
    """One of these texts, equally likely."""
    return Choice([Typed(text, typo) for text in options])


@lru_cache(maxsize=512)
def optional(options: tuple[str, ...], share: float, typo: float) -> Expression:
    """One of these texts and a space with probability `share`, else nothing."""
    return Choice([Concat([typed(options, typo), Literal(" ")]), Literal("")], [share, 1 - share])


@lru_cache(maxsize=4096)
def _surface(slot: str, value: str, article: bool, typo: float) -> Expression:
    surfaces = SURFACES[slot][value]
    if not article:
        return Choice([Typed(surface, typo) for surface in surfaces])
    return Choice([Typed(f"{'an' if s[0] in 'aeiou' else 'a'} {s}", typo) for s in surfaces])


def fill(template: str, values: Sequence[tuple[str, str]], typo: float) -> Expression:
    """A template with each `{slot}` said in one of the words for its value, and `a` made to agree."""
    value_of = dict(values)
    parts: list[Expression] = []
    tokens = template.split(" ")
    for i, token in enumerate(tokens):
        following = tokens[i + 1] if i + 1 < len(tokens) else ""
        if token == "a" and following.startswith("{"):
            continue
        if i and parts:
            parts.append(Literal(" "))
        if token.startswith("{"):
            slot = token.strip("{}")
            parts.append(_surface(slot, value_of[slot], i > 0 and tokens[i - 1] == "a", typo))
        else:
            parts.append(Typed(token, typo))
    return Concat(parts)


@lru_cache(maxsize=512)
def clause(slot: str, value: str, typo: float) -> Expression:
    """One slot's value in words."""
    return Choice([fill(template, [(slot, value)], typo) for template in CLAUSES[slot]])


@lru_cache(maxsize=4096)
def opening(values: tuple[tuple[str, str], ...], typo: float) -> Expression:
    """An opening that tells these one or two slots (in the order of `SLOTS`)."""
    return Choice([fill(template, values, typo) for template in OPENINGS[tuple(slot for slot, _ in values)]])


@lru_cache(maxsize=256)
def change(slot: str, value: str, *, lead: bool) -> Expression:
    """A change of mind, mostly with a few words first if `lead`; it carries no typos, so that no reader can miss it."""
    bodies = Choice([fill(template, [(slot, value)], 0.0) for template in CHANGES[slot]])
    return Concat([optional(CHANGE_LEADS, 0.7, 0.0), bodies]) if lead else bodies
