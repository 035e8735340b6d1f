"""One fixed look per arm, on every plot and table: colour, marker, words."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.results import PROGRAMME


@dataclass(frozen=True, slots=True)
class Look:
    """Colour and matplotlib marker of an arm, and what the arm is in one sentence.

    In the words, `{people}` is who judges, and `{prompted}` a prompted LLM or what stands in for one.
    """

    colour: str
    marker: str
    words: str


# Hues go with lightness, and every arm has a marker of its own: no pair is told apart by red against green alone.
ARM_LOOKS = {
    "base": Look("#a2a8b0", "o", "the start: fine-tuned on logs, no RL"),
    "control": Look("#d0a97e", "v", "base with more fine-tuning, no RL"),
    "static": Look("#4b9be0", "s", "RL on logged contexts, no user in training"),
    "multiturn-aware": Look("#d86fa8", "X", "RL on logged contexts, scored by continuations with the aligned user"),
    "interactive": Look("#cb3a2a", "D", "RL with the {prompted}"),
    "calibrated": Look("#0b7a63", "P", "RL with the user aligned on logs"),
    "oracle": Look("#54278f", "^", "RL against the {people}: the reference"),
}
OTHER = Look("#333333", "o", "")
NULL_COLOUR = "#6b7078"

INK, MUTED, FAINT, GRID, PAPER = "#1c2128", "#5b636e", "#a9b0b8", "#e6e8eb", "#ffffff"

STAND_IN = "prompted stand-in"
STAND_IN_NOTE = (
    "† The prompted stand-in is a programme, not a prompted LLM. Its failings (it tells everything, never leaves, approves "
    "or concedes anything, in one style) were designed in, to stand for failings that are known of prompted LLM users. Its "
    "rank shows the mechanism; it does not measure what any LLM does."
)
STAND_IN_SHORT = "† A programme whose failings were designed in, not a prompted LLM."
REFEREE_NOTE = (
    "The referee is a model of people, fitted on dialogues that nobody else saw. It stands where real people cannot be "
    "asked: a reward with the referee is an estimate of the reward with people, and it shares the weaknesses of a model."
)

PROGRAMME_NOTE = (
    "The logs are of people, who cannot be asked: agents are judged, and the oracle trains, with the programme that plays "
    "the users of this task. It is not these people. Where real users are spoken of, that programme is meant."
)


def look(arm: str) -> Look:
    """The look of an arm; arms that are not ours share a dark one."""
    return ARM_LOOKS.get(arm, OTHER)


def is_referee(people: str) -> bool:
    """Whether the judge, in words, is a model that stands for people."""
    return people.startswith("referee")


def is_programme(people: str) -> bool:
    """Whether the judge, in words, is a programme that did not write the logs."""
    return people == PROGRAMME


def is_stand_in(user: str | None) -> bool:
    """Whether a user, in words, is the programme whose failings were designed in."""
    return user is not None and user.startswith(STAND_IN)


def heat(share: float) -> tuple[str, str]:
    """Background and ink of a heat-map cell, for a share of the largest value (clipped to 0..1): one hue, light to dark."""
    share = min(1.0, max(0.0, share))
    light, dark = (244, 247, 251), (24, 78, 132)
    mixed = [round(a + (b - a) * share) for a, b in zip(light, dark, strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed), PAPER if share > 0.5 else INK
