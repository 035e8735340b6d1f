"""What the measured shift asks for, in words: train, align, collect; or that these dialogues cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from understudy.shift.steps import StepShift
from understudy.shift.two_sample import TwoSample

Advice = Literal["train", "align", "collect", "nothing found", "cannot tell"]

BLUNT = 0.3
"""Where only a total variation above this would have been seen, nothing found says nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of the verdict.

    Attributes:
        part: `policy` (the agent against the one in the logs), `simulator` (the user against people), or `contexts`
            (what the two lead to together, against the logs).
        advice: what to do.
        text: the sentence.
    """

    part: Literal["policy", "simulator", "contexts"]
    advice: Advice
    text: str


def verdict(
    policy: Sequence[StepShift], simulator: Sequence[StepShift], contexts: Sequence[TwoSample]
) -> list[Finding]:
    """A finding per part, from bounds that hold for all turns of a part together."""
    return [
        _step("policy", policy, "the agent's messages", "those in the logs", "train", _TRAIN),
        _step("simulator", simulator, "the user's messages", "what people said", "align", _ALIGN),
        _led_to(contexts),
    ]


_TRAIN = (
    "the logs' contexts are not those that it will meet: train on its own (calibrated), not on logged ones (static)"
)
_ALIGN = "align the user more before an agent is trained with it"


def _step(
    part: Literal["policy", "simulator"],
    points: Sequence[StepShift],
    whose: str,
    against: str,
    advice: Advice,
    so: str,
) -> Finding:
    if not points:
        return Finding(part, "cannot tell", f"Too few logged contexts to compare {whose} with {against} at any turn.")
    shown: dict[int, float] = {}
    for point in points:
        if point.tv_low > 0:
            shown[point.turn] = max(shown.get(point.turn, 0.0), point.tv_low)
    if shown:
        worst = max(shown, key=lambda turn: shown[turn])
        text = (
            f"In the same contexts {whose} differ from {against} at {turns_in_words(shown)}: by a total variation of at "
            f"least {shown[worst]:.2f} at turn {worst} (95%, all turns together). So {so}."
        )
        return Finding(part, advice, text)
    seen = [point.detectable for point in points]
    if min(seen) > BLUNT:
        return Finding(
            part, "cannot tell",
            f"No difference between {whose} and {against} was found, but one below {min(seen):.2f} would not have been "
            "seen: give more dialogues.",
        )  # fmt: skip
    return Finding(
        part, "nothing found",
        f"No difference between {whose} and {against} was found in the same contexts; {_would_have_been_seen(seen)}.",
    )  # fmt: skip


def _would_have_been_seen(detectable: Sequence[float]) -> str:
    sharpest, bluntest = (f"{pick(detectable):.2f}" for pick in (min, max))
    reach = sharpest if sharpest == bluntest else f"{sharpest} to {bluntest}, by turn,"
    return f"a total variation of {reach} would have been seen in four samples of five"


def _led_to(points: Sequence[TwoSample]) -> Finding:
    if not points:
        return Finding("contexts", "cannot tell", "Too few dialogues to compare contexts at any turn.")
    shown = [point for point in points if point.tv_low > 0]
    if not shown:
        told = "The contexts that agent and user lead to were not told from those of the logs at any turn"
        seen = [point.detectable for point in points if point.detectable is not None]
        if not seen:
            return Finding("contexts", "cannot tell", f"{told}, and what would have been seen is not known.")
        if min(seen) > BLUNT:
            text = f"{told}, but a total variation below {min(seen):.2f} would not have been seen: give more dialogues."
            return Finding("contexts", "cannot tell", text)
        return Finding("contexts", "nothing found", f"{told}; {_would_have_been_seen(seen)}.")
    worst = max(shown, key=lambda point: point.tv_low)
    turns = turns_in_words(point.turn for point in shown)
    return Finding(
        "contexts", "collect",
        f"At {turns} agent and user lead to contexts that the logs do not have, at turn "
        f"{worst.turn} in at least {worst.tv_low:.0%} of the dialogues (95%, all turns together). Nobody can say from "
        "these logs whether the user is like people there: collect dialogues of this agent with people at these turns, and "
        "align on them.",
    )  # fmt: skip


def turns_in_words(turns: Iterable[int]) -> str:
    """`turn 1`, `turns 0, 2`: each once, in order."""
    found = sorted(set(turns))
    return f"turn{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}"
