"""What is raised where dialogues were to be held, and every one of them failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from understudy.errors import UnderstudyError
from understudy.speaker import Failure
from understudy.types import FailedDialogue

_UNKNOWN = "mend what it names, and go on with --resume"
"""For failures of speakers that do not say what to do about them."""


def all_failed(failures: Sequence[Failure | FailedDialogue], where: str) -> UnderstudyError:
    """The error to raise: how many failed, why, and what to do about it.

    Reasons may name what is particular to each dialogue; failures count as of one kind where the same is to be done. Of
    several kinds the most frequent is told.

    Args:
        where: what they were held for, in words.
    """
    if not failures:
        return UnderstudyError("there was no dialogue to hold", where=where)
    (fix, count), *others = Counter(failure.fix for failure in failures).most_common()
    reason = next(failure.reason for failure in failures if failure.fix == fix)
    share = f" ({count} of them)" if others else ""
    return UnderstudyError(
        f"none of {len(failures)} dialogues could be finished: {reason}{share}", where=where, fix=fix or _UNKNOWN
    )
