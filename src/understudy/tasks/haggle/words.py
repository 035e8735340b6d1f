"""The words of people at the table, around the offers themselves: leads, reasons, acceptances, goodbyes.

None of these reads as an offer, and each reads as the act that it stands for (`reading.read`); the tests sample them.
"""

from __future__ import annotations

from functools import lru_cache

from understudy.tasks.grammar import Choice, Concat, Expression, Literal
from understudy.tasks.haggle.items import KINDS
from understudy.tasks.haggle.offers import Voice, either

Phrases = dict[str, tuple[str, ...]]

_GREETINGS: Phrases = {
    "careful": (
        "hello ,", "hi there ,", "good morning ,", "good evening ,", "hello and welcome ,", "nice to meet you ,",
        "pleased to meet you ,", "good day ,", "greetings ,", "good afternoon ,",
    ),
    "casual": (
        "hey ,", "hi ,", "yo ,", "hiya ,", "hey man ,", "howdy ,", "sup ,", "hey buddy ,", "morning ,",
        "hello friend ,",
    ),
}  # fmt: skip
_OPENERS: Phrases = {
    "careful": (
        "shall we divide these things ?", "let us split this pile fairly .", "where should we begin ?",
        "i hope we reach an agreement today .", "how would you divide them ?", "please tell me your thoughts first .",
        "i am curious what you suggest .", "would you start with a proposal ?",
        "let us find something that suits us .",
    ),
    "casual": (
        "lets split this stuff", "wanna start ?", "what do you want ?", "go ahead , make an offer", "lets get going",
        "ready when you are", "whats your pitch ?", "so who goes first ?", "lets make this quick",
        "shoot , whats your plan ?",
    ),
}  # fmt: skip
_WISHES: Phrases = {
    "careful": (
        "i care most for the {kind}", "i would love the {kind} most", "my family really needs the {kind}",
        "i am mainly after the {kind}", "the {kind} matter a lot to me", "above anything i need the {kind}",
        "for me , what matters is the {kind}",
    ),
    "casual": (
        "im mostly after the {kind}", "i really need the {kind}", "i love the {kind}", "gotta say i need the {kind}",
        "i like the {kind} best", "only after the {kind} tbh", "the {kind} matter to me",
    ),
}  # fmt: skip
_REASONS: Phrases = {
    "book": (
        "my daughter reads every night", "our reading club meets tomorrow", "my shelf looks empty",
        "i study literature",
        "i have an exam soon", "long train rides get boring", "the school library burned down",
        "my grandmother taught history",
        "i write novels", "my son wants bedtime stories", "i miss paper and ink", "winter evenings are long",
    ),
    "hat": (
        "my head gets cold", "winter is coming", "the sun burns my face", "our theatre group performs soon",
        "i am going bald", "there is a wedding on sunday", "my uncle rides horses", "the garden gets hot in summer",
        "i sing in a country band", "rain ruins my hair", "fashion week starts monday", "my sister designs costumes",
    ),
    "ball": (
        "my kids play in the park", "i coach a small team", "the season starts next week", "our dog chases them",
        "my nephew turns six", "we practise football daily", "the neighbours broke ours", "my gym has none left",
        "i promised the children", "basketball keeps me healthy", "we play volleyball on the beach",
        "i teach sports at school",
    ),
}  # fmt: skip
_REFUSALS: Phrases = {
    "careful": (
        "i am afraid that does not suit me ,", "no , thank you ,", "sorry , that is too little ,",
        "i can not accept that ,",
        "that does not seem fair ,", "hmm , not quite ,", "i must refuse ,", "unfortunately no ,",
        "that will not work for me ,",
        "with respect , no ,",
    ),
    "casual": (
        "nah ,", "no way ,", "nope ,", "no ,", "not happening ,", "come on , no ,", "lol no ,", "too low for me ,",
        "thats not enough ,", "dont think so ,", "hmm no ,",
    ),
}  # fmt: skip
_ANNOYED: Phrases = {
    "careful": (
        "you are repeating yourself , no ,", "again , no ,", "please stop being greedy , no ,",
        "i already refused that ,",
        "this is not serious ,", "my patience is running low , no ,", "you are not moving at all ,",
    ),
    "casual": (
        "seriously ? no ,", "again with this ? no ,", "dude , no ,", "stop being greedy , no ,",
        "i said no already ,",
        "no no no ,", "ugh , no ,", "are you even listening ? no ,",
    ),
}  # fmt: skip
_LEADS: Phrases = {
    "careful": (
        "let me suggest this ,", "my proposal :", "what if", "perhaps", "here is my thought ,",
        "then consider this ,",
        "to be fair ,", "let us try this ,", "i propose that", "as a compromise ,",
    ),
    "casual": ("how bout", "well ,", "so", "maybe", "then", "try this ,", "lets say", "my offer :", "look ,", "ok"),
}  # fmt: skip
_PUZZLED: Phrases = {
    "careful": (
        "pardon ?", "i did not follow that .", "could you say that again ?", "i am confused .", "excuse me ?",
    ),
    "casual": ("huh ?", "what ?", "dont get it .", "wat .", "you lost me .", "come again ?"),
}  # fmt: skip
_TAILS: Phrases = {
    "careful": (", would that suit you ?", ", is that fair ?", ", what do you think ?", ", please"),
    "casual": (", cool ?", ", fair ?", ", thoughts ?", ", alright ?", ", yeah ?"),
}
_ACCEPTS: Phrases = {
    "careful": (
        "i accept", "we have a deal", "that sounds good to me", "i agree to that", "yes , that is fair", "agreed",
        "that works for me", "fine by me", "okay , i will take it", "i am happy with that",
        "yes , let us settle on that",
    ),
    "casual": (
        "deal", "ok deal", "sure", "sounds good", "yeah ok", "fine", "works for me", "ok cool", "yep , sold",
        "ok fair enough",
    ),
}  # fmt: skip
_ACCEPTS_LATE: Phrases = {
    "careful": (
        "all right , i accept your earlier offer", "on reflection , your last offer works for me",
        "fine , let us do what you said before", "okay , i will take your earlier proposal",
    ),
    "casual": (
        "ok then , ill take your last offer", "fine , deal on what you said", "ugh ok , your last offer works for me",
    ),
}  # fmt: skip
_ACCEPT_TAILS: Phrases = {
    "careful": (
        " .",
        " , thank you .",
        " , it was a pleasure .",
        " , well negotiated .",
        " , much appreciated .",
        " , enjoy !",
    ),
    "casual": ("", "", " !", " , thanks", " , nice doing business", " , cheers", " , good talk"),
}
_GOODBYES: Phrases = {
    "careful": (
        "we will not find an agreement , goodbye .", "this leads nowhere , goodbye .", "i am leaving now .",
        "i give up , good luck .", "that is enough for me , farewell .", "you ask too much , goodbye .",
        "i would rather walk away , goodbye .", "no deal , goodbye .",
    ),
    "casual": (
        "forget it", "im out", "bye", "ok bye", "waste of time , bye", "i give up", "whatever , im out",
        "no deal , bye",
        "this is pointless , bye", "found someone else , bye",
    ),
}  # fmt: skip


@lru_cache(maxsize=64)
def _phrases(table: str, voice: Voice) -> Expression:
    return either(_TABLES[table][voice.name], voice.typo)


_TABLES: dict[str, Phrases] = {
    "greeting": _GREETINGS,
    "opener": _OPENERS,
    "refusal": _REFUSALS,
    "annoyed": _ANNOYED,
    "lead": _LEADS,
    "puzzled": _PUZZLED,
    "tail": _TAILS,
    "accept": _ACCEPTS,
    "accept late": _ACCEPTS_LATE,
    "accept tail": _ACCEPT_TAILS,
    "goodbye": _GOODBYES,
}
_SPACE = Literal(" ")


def _maybe(expression: Expression, p: float) -> Expression:
    """The expression and a space, or nothing."""
    return Choice([Concat([expression, _SPACE]), Literal("")], [p, 1 - p])


@lru_cache(maxsize=8)
def greeting(voice: Voice) -> Expression:
    """Opens without saying what it wants."""
    return Concat([_phrases("greeting", voice), _SPACE, _phrases("opener", voice)])


@lru_cache(maxsize=32)
def wish(kind: int, voice: Voice) -> Expression:
    """Names the kind that matters most, and now and then why."""
    said = either([w.format(kind=KINDS[kind] + "s") for w in _WISHES[voice.name]], voice.typo)
    reason = Concat([Literal(" , "), either(_REASONS[KINDS[kind]], voice.typo)])
    return Concat([said, Choice([reason, Literal("")], [0.3, 0.7])])


@lru_cache(maxsize=32)
def opening_wish(kind: int, voice: Voice) -> Expression:
    return Concat([_phrases("greeting", voice), _SPACE, wish(kind, voice)])


@lru_cache(maxsize=8)
def opening_lead(voice: Voice) -> Expression:
    """What may stand before an opening offer."""
    return _maybe(_phrases("greeting", voice), 0.4)


@lru_cache(maxsize=32)
def lead(mood: str, voice: Voice) -> Expression:
    """What may stand before a counter-offer; `mood` is `refusal`, `annoyed`, `puzzled` or `lead`."""
    return _maybe(_phrases(mood, voice), 0.5)


@lru_cache(maxsize=8)
def tail(voice: Voice) -> Expression:
    """What may stand after an offer."""
    return Choice([Concat([_SPACE, either([t for t in _TAILS[voice.name] if t], voice.typo)]), Literal("")], [0.2, 0.8])


@lru_cache(maxsize=64)
def refusal(mood: str, kind: int, voice: Voice) -> Expression:
    """Refuses, and says which kind it needs."""
    return Concat([_phrases("annoyed" if mood == "annoyed" else "refusal", voice), _SPACE, wish(kind, voice)])


@lru_cache(maxsize=8)
def acceptance(voice: Voice, fresh: bool) -> Expression:
    """Takes the standing offer; `fresh` if it was made just now."""
    ends = _ACCEPT_TAILS[voice.name]
    return Concat([_phrases("accept" if fresh else "accept late", voice), either(ends, voice.typo)])


@lru_cache(maxsize=8)
def goodbye(voice: Voice) -> Expression:
    return Choice([_phrases("goodbye", voice), Literal("")], [0.85, 0.15])
