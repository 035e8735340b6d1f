"""Reader of the Deal or No Deal corpus in its authors' format (Lewis et al. 2017, arXiv 1706.05125).

Two people divide books, hats and balls; each item is worth a private number of points to each, all items together 10.
Each negotiation has two lines, one as seen by each person (`YOU` is that person):

    <input> 1 0 4 2 1 2 </input> <dialogue> YOU: i want ... <eos> THEM: deal <eos> YOU: <selection> </dialogue>
    <output> item0=0 item1=4 item2=0 item0=1 item1=0 item2=1 </output> <partner_input> 1 4 4 1 1 2 </partner_input>

`<input>` alternates counts and values (book, hat, ball), `<output>` is what YOU and then THEM got; or six times
`<disagree>` (they chose divisions that do not fit), `<no_agreement>` (they chose no deal) or `<disconnect>`. In the
training part `<disagree>` covers no deal too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

from understudy.errors import LogError

Counts = tuple[int, int, int]
"""Books, hats, balls."""
Ending = Literal["agreed", "disagree", "no_agreement", "disconnect"]

_LINE = re.compile(
    r"<input> (?P<mine>.*?) </input> <dialogue> (?P<words>.*) </dialogue> "
    r"<output> (?P<output>.*?) </output> <partner_input> (?P<theirs>.*?) </partner_input>"
)
_MESSAGE = re.compile(r"(YOU|THEM): (.+)")
_NUMBER = r"\d{1,9}"  # longer ones are a damaged line, and Python converts no more than some thousand digits
_OUTPUT = re.compile(" ".join(f"item{item}=({_NUMBER})" for item in (0, 1, 2, 0, 1, 2)))
_NO_SPLIT: dict[str, Ending] = {
    "<disagree>": "disagree",
    "<no_agreement>": "no_agreement",
    "<disconnect>": "disconnect",
}
_FORMAT_FIX = "give the authors' file as it is published, one negotiation per line"
FULL_VALUE = 10
"""What all items together are worth to each side."""


@dataclass(frozen=True, slots=True)
class Negotiation:
    """One negotiation, told from neither side: `first` is the person who spoke first.

    Attributes:
        line: of its first line in the file, from 1.
        counts: how many books, hats and balls there are.
        first_values, second_values: points per book, hat, ball.
        texts: what was said in turn, the first speaker first, without the closing `<selection>`, which is said by the
            side whose turn it is after them.
        ending: how it ended.
        first_takes, second_takes: items of each side; None unless agreed.
    """

    line: int
    counts: Counts
    first_values: Counts
    second_values: Counts
    texts: tuple[str, ...]
    ending: Ending
    first_takes: Counts | None = None
    second_takes: Counts | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One line: a negotiation as seen by one of the two people.

    Attributes:
        negotiation: told from neither side, its `line` left at 0.
        mine_first: whether YOU spoke first.
    """

    negotiation: Negotiation
    mine_first: bool

    def of_the_other_side(self) -> View:
        """What the twin of this line tells."""
        return replace(self, mine_first=not self.mine_first)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a file held.

    Attributes:
        lines: all lines.
        unpaired: line numbers without a twin (from 1); they are left out.
        agreed, disagree, no_agreement, disconnect: negotiations with both lines, by ending.
    """

    lines: int
    unpaired: tuple[int, ...]
    agreed: int
    disagree: int
    no_agreement: int
    disconnect: int

    @property
    def negotiations(self) -> int:
        """Negotiations with both lines, each counted once."""
        return self.agreed + self.disagree + self.no_agreement + self.disconnect

    def __str__(self) -> str:
        return (
            f"{self.lines} lines: {self.negotiations} negotiations ({self.agreed} agreed, {self.disagree} disagreed, "
            f"{self.no_agreement} no deal, {self.disconnect} disconnected), {len(self.unpaired)} lines without a twin"
        )


def read_negotiations(path: Path) -> tuple[list[Negotiation], Summary]:
    """All negotiations of a file whose two lines mirror each other, in order of their first lines.

    Two lines are twins if the same words were said with YOU and THEM swapped, about the same counts and values, with
    the same result. Lines without a twin are left out and listed in the summary.

    Raises:
        LogError: if the file cannot be read or is empty, or a line does not have the format (naming file and line).
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot be read: {error}", where=str(path), fix="give the authors' text file") from None
    if not lines:
        raise LogError("is empty", where=str(path), fix=_FORMAT_FIX)
    found, unpaired = pair((number, parse_line(line, f"{path}:{number}")) for number, line in enumerate(lines, 1))
    tally = {ending: sum(n.ending == ending for n in found) for ending in ("agreed", *_NO_SPLIT.values())}
    return found, Summary(len(lines), unpaired, **tally)


def parse_line(line: str, where: str) -> View:
    """What one line tells.

    Raises:
        LogError: if it does not have the format.
    """
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise LogError(
            "does not read <input> .. </input> <dialogue> .. </dialogue> <output> .. </output> <partner_input> ..",
            where=where,
            fix=_FORMAT_FIX,
        )
    counts, mine = _context(match["mine"], where, "<input>")
    other_counts, theirs = _context(match["theirs"], where, "<partner_input>")
    if counts != other_counts:
        raise LogError(f"counts {counts} and {other_counts} of the sides differ", where=where, fix=_FORMAT_FIX)
    mine_first, texts = _texts(match["words"], where)
    ending, my_takes, their_takes = _output(match["output"], counts, where)
    first, second = (
        ((mine, my_takes), (theirs, their_takes)) if mine_first else ((theirs, their_takes), (mine, my_takes))
    )
    return View(Negotiation(0, counts, first[0], second[0], texts, ending, first[1], second[1]), mine_first)


def pair(views: Iterable[tuple[int, View]]) -> tuple[list[Negotiation], tuple[int, ...]]:
    """Twins as one negotiation each, in order of their first lines; and the numbers of the lines without a twin.

    Args:
        views: the lines with their numbers.
    """
    # Lines of one negotiation are equal once told from neither side; each waits here for its twin of the other side.
    waiting: dict[View, list[int]] = defaultdict(list)
    found: list[Negotiation] = []
    for number, view in views:
        twins = waiting[view.of_the_other_side()]
        if twins:
            found.append(replace(view.negotiation, line=twins.pop(0)))
        else:
            waiting[view].append(number)
    found.sort(key=lambda negotiation: negotiation.line)
    return found, tuple(sorted(number for numbers in waiting.values() for number in numbers))


def read_scenarios(path: Path) -> list[tuple[Counts, Counts, Counts]]:
    """Counts and both sides' values of `selfplay_scenarios.txt`: two lines per scenario, one per side.

    Raises:
        LogError: if the file cannot be read or is empty, or a line does not have the format or its partner's counts.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot be read: {error}", where=str(path), fix="give the authors' text file") from None
    if not lines or len(lines) % 2:
        raise LogError(f"has {len(lines)} lines", where=str(path), fix="give two lines per scenario, one per side")
    sides = [_context(line, f"{path}:{number}", "the line") for number, line in enumerate(lines, 1)]
    scenarios = []
    for index in range(0, len(sides), 2):
        (counts, values), (other_counts, other_values) = sides[index : index + 2]
        if counts != other_counts:
            raise LogError(
                f"counts {other_counts} differ from {counts}, those of the line before",
                where=f"{path}:{index + 2}",
                fix="give the two sides of a scenario on neighbouring lines with the same counts",
            )
        scenarios.append((counts, values, other_values))
    return scenarios


def _context(text: str, where: str, part: str) -> tuple[Counts, Counts]:
    """Counts and values of `count value count value count value`."""
    numbers = [int(word) for word in text.split() if re.fullmatch(_NUMBER, word)]
    if len(numbers) != 6 or len(text.split()) != 6:
        raise LogError(f"{part} is {text!r}, not six whole numbers", where=where, fix=_FORMAT_FIX)
    counts, values = _three(numbers[0::2]), _three(numbers[1::2])
    worth = sum(count * value for count, value in zip(counts, values, strict=True))
    if worth != FULL_VALUE:
        raise LogError(f"{part}: all items are worth {worth} points, not {FULL_VALUE}", where=where, fix=_FORMAT_FIX)
    return counts, values


def _texts(words: str, where: str) -> tuple[bool, tuple[str, ...]]:
    """Whether YOU spoke first, and what was said before the closing `<selection>`."""
    said = [_MESSAGE.fullmatch(part.strip()) for part in words.split("<eos>")]
    messages = [(m[1], " ".join(m[2].split())) for m in said if m is not None]
    if len(messages) < len(said):
        raise LogError("a message does not begin with YOU: or THEM:", where=where, fix=_FORMAT_FIX)
    if any(one[0] == other[0] for one, other in pairwise(messages)):
        raise LogError("YOU and THEM do not take turns", where=where, fix=_FORMAT_FIX)
    *before, last = [text for _, text in messages]
    if last != "<selection>" or any("<selection>" in text for text in before) or not before:
        raise LogError("<selection> must be the last message, and not the only one", where=where, fix=_FORMAT_FIX)
    return messages[0][0] == "YOU", tuple(before)


def _output(text: str, counts: Counts, where: str) -> tuple[Ending, Counts | None, Counts | None]:
    """How it ended, and what YOU and THEM got."""
    words = text.split()
    if len(words) == 6 and len(set(words)) == 1 and words[0] in _NO_SPLIT:
        return _NO_SPLIT[words[0]], None, None
    match = _OUTPUT.fullmatch(text)
    if match is None:
        raise LogError(f"<output> is {text!r}", where=where, fix=_FORMAT_FIX)
    numbers = [int(number) for number in match.groups()]
    mine, theirs = _three(numbers[:3]), _three(numbers[3:])
    if any(a + b != count for a, b, count in zip(mine, theirs, counts, strict=True)):
        raise LogError(f"<output> gives {mine} and {theirs}, but there are {counts}", where=where, fix=_FORMAT_FIX)
    return "agreed", mine, theirs


def _three(numbers: list[int]) -> Counts:
    book, hat, ball = numbers
    return book, hat, ball
