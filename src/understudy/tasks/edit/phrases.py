"""What the users of `edit` say: fragments in words, and the expressions made of them (built once, then shared)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from understudy.tasks.edit.words import CASUAL, FORMAL, REGISTER, WORDING
from understudy.tasks.grammar import Choice, Concat, Expression, Literal, Typed

# {v} is the value. No fragment holds a word of the lexicon (see `reading`) that it does not mean.
VALUE_CLAUSES: dict[str, tuple[str, ...]] = {
    "name": (
        "it goes to {v}",
        "the name should be {v}",
        "it is meant for {v}",
        "the person is {v}",
        "write it to {v}",
        "{v} will get this",
        "address {v} instead",
    ),
    "action": (
        "i want them to {v} it",
        "they should {v} it",
        "the verb should be {v}",
        "the action is to {v} it",
        "someone has to {v} it",
        "the idea is that they {v} it",
    ),
    "version": (
        "the {v} one",
        "i mean the {v} version",
        "the version should be {v}",
        "take the {v} edition",
        "only the {v} one counts",
        "there are several , i want the {v} one",
    ),
    "thing": (
        "it is about the {v}",
        "i mean the {v}",
        "the item should be the {v}",
        "the topic is the {v}",
        "it concerns the {v}",
        "everything turns on the {v}",
    ),
    "day": (
        "the day should be {v}",
        "i need it on {v}",
        "the date is {v}",
        "the deadline is {v}",
        "make that {v}",
        "{v} is when it is due",
        "it can't wait beyond {v}",
        "i am away after {v}",
    ),
}
MISSING_CLAUSES: dict[str, tuple[str, ...]] = {
    "name": ("you forgot the name , {v}", "nobody is addressed , put {v}"),
    "action": ("what are they supposed to do ? {v} it", "add that they must {v} it"),
    "version": ("you left out that it is the {v} one", "add the word {v}"),
    "thing": ("you never mention the {v}", "add the {v}"),
    "day": ("you left out {v}", "there is no date , add {v}"),
}
NAMING_CLAUSES: dict[str, tuple[str, ...]] = {
    "name": ("wrong person", "that is not the person i meant", "the name is off", "somebody else gets it , wrong name"),
    "action": ("the verb is off", "that is not the action i meant", "wrong verb", "the action bothers me"),
    "version": ("wrong version", "that is not the edition i meant", "the version is off"),
    "thing": ("wrong item", "that is not the document i meant", "the topic is off", "a different document , please"),
    "day": ("not that day", "the day is off", "wrong date", "that deadline makes no sense", "another day , please"),
    REGISTER: ("the tone is off", "i don't like the tone", "wrong voice", "that tone isn't mine"),
    WORDING: (
        "the wording is odd",
        "the phrasing is clumsy",
        "something in the wording is broken",
        "that phrasing limps",
    ),
}
TONE_CLAUSES: dict[str, tuple[str, ...]] = {
    FORMAL: (
        "a bit too sloppy",
        "sounds too loose",
        "a little cheeky , isn't it",
        "make it more polite",
        "it has to be formal",
        "more proper , this is official",
        "way too chatty",
        "i would never talk like that , more polite",
    ),
    CASUAL: (
        "a bit too stiff",
        "sounds wooden",
        "make it more relaxed",
        "it can be casual",
        "rather frosty , i know them well",
        "friendlier , we get along",
        "that is pompous",
        "nobody speaks so , more casual",
        "less ceremony , we are friends",
    ),
}
TONE_HINTS: dict[str, tuple[str, ...]] = {
    FORMAL: (
        "it must be polite",
        "my boss will see it",
        "keep it proper",
        "it is rather official",
        "they expect something formal",
    ),
    CASUAL: (
        "we are friends",
        "nothing stiff",
        "keep it relaxed",
        "just between buddy and buddy",
        "my friend hates ceremony",
    ),
}
TONE_ANSWERS: dict[str, tuple[str, ...]] = {
    FORMAL: ("formal", "polite", "formal of course", "as proper as you can"),
    CASUAL: ("casual", "relaxed", "friendly and light", "casual is fine"),
}

# Keyed by the slots that the opening reveals, in the order of SLOTS; {0} and {1} are their values.
OPENINGS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("name",): (
        "i need to write to {0}",
        "can you help me with a note to {0} ?",
        "i owe {0} a few lines",
        "please draft something for {0}",
        "{0} is waiting for an email from me",
    ),
    ("thing",): (
        "i need a note about the {0}",
        "it is about the {0} , can you write for me ?",
        "write something concerning the {0}",
        "there is this {0} business and i hate typing",
        "quick favour , an email about the {0}",
    ),
    ("name", "thing"): (
        "i have to write {0} about the {1}",
        "a note to {0} about the {1} , please",
        "could you tell {0} something about the {1} for me ?",
        "{0} should hear from me about the {1}",
        "{0} asked me about the {1}",
    ),
    ("thing", "day"): (
        "a message about the {0} , it is due {1}",
        "somebody has to deal with the {0} until {1}",
        "i need help with a note , the {0} is wanted {1}",
    ),
    ("action", "thing"): (
        "someone must {0} the {1} , please write that",
        "i want a colleague to {0} my {1}",
        "write a line so that they {0} the {1}",
        "remind my team to {0} the {1}",
    ),
    ("version", "thing"): (
        "i am after the {0} {1} , write for me",
        "a few lines about the {0} {1} , please",
        "it is about the {0} {1} again",
        "nobody gave me the {0} {1} yet , remind them",
    ),
    ("name", "day"): (
        "a quick line to {0} , i need a reaction on {1}",
        "write {0} for me , {1} is the limit",
    ),
}

GREETINGS = ("hi , ", "hello , ", "good morning , ", "hey there , ", "so , ", "ok , ", "listen , ", "well , ")
FAR_LEADS = (
    "hmm , ",
    "not really , ",
    "well , ",
    "sorry but ",
    "uh , ",
    "thanks , though ",
    "oh dear , ",
    "let me see , ",
)
NEAR_LEADS = (
    "close , but ",
    "almost , ",
    "nearly there , ",
    "getting there , ",
    "not bad , but ",
    "that helps , but ",
    "hmm , ",
)
AGAIN_LEADS = ("again , ", "as i told you , ", "once more , ", "like before , ", "i already mentioned this , ")
TERSE_LEADS = ("no , ", "nope , ", "nah , ", "meh , ")
JOINERS = (" and ", " , and ", " , also ", " , besides ")
TAILS = (" please", " , thanks", " , ok ?", " , if you don't mind")
VAGUE = (
    "not quite right",
    "something is wrong there",
    "that is not what i had in mind",
    "this isn't it yet",
    "i would change something",
    "doesn't feel finished",
    "read it once more yourself",
    "my stomach says no",
    "one detail bugs me",
    "look closer",
    "it still has a mistake",
)
EVASIONS = (
    "just give me a draft",
    "show me something first",
    "hard to tell , try it",
    "i'd rather see a draft",
    "have a go and we will see",
    "surprise me",
    "start writing , i will comment",
    "you tell me",
    "i know it when i see it",
    "guess",
    "no idea yet , go ahead",
    "words on paper first , then we talk",
    "i am busy , simply begin",
)
REFUSALS = (
    "that is your job",
    "i came here so that i don't have to write",
    "if i knew the words i would not need you",
    "you are the writer",
    "i can't spell it out for you",
    "come on , put some words together yourself",
    "am i supposed to do your work ?",
    "typing it all out defeats the purpose",
    "why would i hire a helper then ?",
)
ANSWER_LEADS = ("ah , ", "sure , ", "i think ", "let us take ", "oh , ")
APPROVALS = (
    "perfect , thanks",
    "great , that is it",
    "that works for me",
    "spot on",
    "lovely , thank you",
    "nailed it",
    "good , we are done",
    "i am happy with that",
    "yes , that will do",
    "i love it , cheers",
)
PARTINGS = (
    "forget it",
    "never mind , i will write it myself",
    "this goes nowhere",
    "i have had enough , bye",
    "i will ask somebody else",
    "what a waste of time , bye",
    "let us stop here",
    "i leave it , this takes too long",
)


@lru_cache(maxsize=4096)
def typed(texts: tuple[str, ...], typo: float) -> Expression:
    """One of the texts, equally likely, typed with misspellings at rate `typo` per word."""
    return Choice([_typed(text, typo) for text in texts])


def _typed(text: str, typo: float) -> Expression:
    # Outer spaces join fragments and belong to no word.
    core = text.strip(" ")
    before, after = text[: len(text) - len(text.lstrip(" "))], text[len(text.rstrip(" ")) :]
    return Concat([Literal(before), Typed(core, typo), Literal(after)]) if core else Literal(text)


@lru_cache(maxsize=256)
def optional(texts: tuple[str, ...], share: float, typo: float) -> Expression:
    """One of the texts with probability `share`, else nothing."""
    return Choice([Literal(""), typed(texts, typo)], [1 - share, share])


@lru_cache(maxsize=1024)
def correction(slot: str, value: str, missing: bool, typo: float) -> Expression:
    """A clause that gives the right value of a slot (or asks for the right register); `missing`: the draft had none."""
    if slot == REGISTER:
        return typed(TONE_CLAUSES[value], typo)
    told = typed(_filled(VALUE_CLAUSES[slot], value), typo)
    if not missing:
        return told
    return Choice([told, typed(_filled(MISSING_CLAUSES[slot], value), typo)], [0.5, 0.5])


@lru_cache(maxsize=256)
def answer(slot: str, value: str, typo: float) -> Expression:
    """The words that answer a question about one slot."""
    if slot == REGISTER:
        return Concat([optional(ANSWER_LEADS[:3], 0.3, typo), typed(TONE_ANSWERS[value], typo)])
    bare = Concat([optional(ANSWER_LEADS, 0.4, typo), typed((value,), typo)])
    return Choice([bare, typed(_filled(VALUE_CLAUSES[slot], value), typo)], [0.6, 0.4])


@lru_cache(maxsize=4096)
def opening(values: tuple[tuple[str, str], ...], typo: float) -> Expression:
    """A first sentence that reveals these `(slot, value)`s, a key of `OPENINGS`."""
    frames = OPENINGS[tuple(slot for slot, _ in values)]
    return typed(tuple(frame.format(*(value for _, value in values)) for frame in frames), typo)


def pairs(clauses: Sequence[Expression], typo: float) -> Expression:
    """Two different clauses joined, every ordered pair equally likely."""
    joiner = typed(JOINERS, typo)
    return Choice([Concat([a, Concat([joiner, b])]) for a in clauses for b in clauses if a is not b])


def _filled(clauses: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(clause.format(v=value) for clause in clauses)
