"""How users conduct themselves, in figures that no wording of one task is needed for: style, information, questions, reactions.

After the four dimensions (D1 to D4) of the User-Sim Index (arXiv 2603.11245), by fixed lists of English words and marks in
place of a judge, and without what cannot be read so. Coarse, and the same for every task and corpus.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from understudy.shift.contexts import Context

Words = list[str]

_SHORT = 3
"""Words of a short message, at most."""

_POLITE = {"please", "thanks", "thank", "sorry", "appreciate", "welcome", "kindly"}
_INFORMAL = {
    "u", "ur", "gonna", "wanna", "yeah", "yep", "nope", "lol", "btw", "thx", "pls", "plz", "hey", "dunno",
    "gotta"
}  # fmt: skip
_ACKNOWLEDGES = {"ok", "okay", "sure", "yes", "yeah", "yep", "right", "great", "perfect", "deal", "alright", "fine"}
_UNSURE = {"maybe", "perhaps", "guess", "unsure", "probably", "possibly", "might", "dunno", "think"}
_CERTAIN = {"definitely", "exactly", "certainly", "absolutely", "must", "always", "never", "surely", "only"}
_PUSHES_BACK = {"no", "not", "wrong", "nope", "cannot", "can't", "cant", "don't", "dont", "isn't", "isnt", "incorrect"}
_MOVED = {
    "love", "hate", "annoying", "annoyed", "frustrated", "frustrating", "happy", "sad", "angry", "upset", "wow",
    "ugh"
}  # fmt: skip
_PIVOTS = {"instead", "actually", "rather", "otherwise", "alternatively", "nevermind", "forget", "changed"}
_ACCUSES = (
    "you said", "you keep", "you never", "you did not", "you didn't", "already told", "already said",
    "told you"
)  # fmt: skip
_CLARIFIES = ("what do you mean", "which one", "can you explain", "do you mean", "i don't understand", "what does")
_CONFUSED = ("how can i help", "how may i assist", "as an ai", "i can assist", "language model", "happy to help")


def _has(known: set[str]) -> Callable[[str, Words], bool]:
    return lambda text, words: not known.isdisjoint(words)


def _says(known: Sequence[str]) -> Callable[[str, Words], bool]:
    return lambda text, words: any(phrase in text for phrase in known)


_RATES: dict[str, Callable[[str, Words], bool]] = {
    # D1, style
    "short": lambda text, words: len(words) <= _SHORT,
    "polite": _has(_POLITE),
    "informal": _has(_INFORMAL),
    "acknowledges": _has(_ACKNOWLEDGES),
    "confuses the roles": _says(_CONFUSED),
    # D2, information
    "has a number": lambda text, words: any(any(c.isdigit() for c in word) for word in words),
    # D3, clarification
    "unsure": _has(_UNSURE),
    "certain": _has(_CERTAIN),
    "pushes back": _has(_PUSHES_BACK),
    "asks to be told": lambda text, words: "?" in text,
    "asks what is meant": _says(_CLARIFIES),
    # D4, reaction
    "moved": lambda text, words: "!" in text or not _MOVED.isdisjoint(words),
    "accuses": _says(_ACCUSES),
    "changes course": _has(_PIVOTS),
}
"""What a message does or does not; its share of a user's messages is a figure."""

FIGURES = (*_RATES, "words a message", "their spread", "words said before", "words of the opening", "front-loading")


def conduct(context: Context) -> NDArray[np.float64]:
    """[19] of the user's messages in a context: shares of messages that do each of `_RATES`; words per message, as log(1 + n);
    their coefficient of variation; the share of words that were said in an earlier message; words of the opening, as
    log(1 + n); and the share of all different words that stand in it. Zeros where the user has said nothing.
    """
    texts = [message.text.lower() for message in context.messages if message.role == "user" and message.text.strip()]
    if not texts:
        return np.zeros(len(FIGURES))
    words = [re.findall(r"[\w']+", text) for text in texts]
    lengths = np.array([len(message) for message in words], dtype=float)
    seen: set[str] = set()
    repeated = 0
    for message in words:
        repeated += sum(word in seen for word in message)
        seen.update(message)
    shares = [
        float(np.mean([does(text, said) for text, said in zip(texts, words, strict=True)])) for does in _RATES.values()
    ]
    return np.array(
        [
            *shares,
            np.log1p(lengths.mean()),
            lengths.std() / max(1.0, lengths.mean()),
            repeated / max(1.0, lengths.sum()),
            np.log1p(lengths[0]),
            len(set(words[0])) / max(1, len(seen)),
        ]
    )
