"""Word problems of GSM8K and MATH, cut into the sentences that a user tells one at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.errors import LogError
from understudy.logs.sources import part_records
from understudy.tasks.prose import sentences

TRAIN, TEST = "train", "test"
_ANSWER = re.compile(r"####\s*(.+?)\s*$")
_BOXED = r"\boxed{"
_FIX = (
    f"give a folder with {TRAIN} and {TEST}, each as .jsonl or .parquet, or hub:owner/name: records of GSM8K with `question` "
    "and `answer` (.. #### 42), or of MATH with `problem` and `solution` (.. \\boxed{42})"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: what is given, sentence by sentence; what is asked; and the answer as the data set writes it."""

    given: tuple[str, ...]
    asked: str
    answer: str


def read_problems(data: Path, part: str) -> list[Problem]:
    """The problems of a part (`part_records`) of GSM8K (Cobbe et al. 2021, arXiv 2110.14168) or MATH (Hendrycks et al. 2021,
    arXiv 2103.03874).

    Those of one sentence leave nothing to ask for, and are left out.

    Raises:
        LogError: naming file and line, if the part is missing or a record is not a problem.
    """
    found = []
    for raw in part_records(data, part, fix=_FIX):
        if raw.problem:
            raise LogError(f"is {raw.problem} ({raw.detail})", where=raw.where, fix=_FIX)
        problem = _problem(raw.record if isinstance(raw.record, dict) else {}, raw.where)
        if problem.given:
            found.append(problem)
    if not found:
        raise LogError("holds no problem of two sentences or more", where=str(data / part), fix=_FIX)
    return found


def _problem(record: Mapping[str, Any], where: str) -> Problem:
    told, solved = next(
        (
            (record[t], record[s])
            for t, s in (("question", "answer"), ("problem", "solution"))
            if {t, s} <= record.keys()
        ),
        (None, None),
    )
    if not isinstance(told, str) or not isinstance(solved, str):
        raise LogError("has neither `question` and `answer` nor `problem` and `solution`", where=where, fix=_FIX)
    if not told.strip():
        raise LogError("has an empty question", where=where, fix=_FIX)
    answer = _ANSWER.search(solved)
    written = answer[1].replace(",", "") if answer else last_boxed(solved)
    if not written:
        raise LogError("has no answer after #### or in \\boxed{}", where=where, fix=_FIX)
    *given, asked = sentences(told)
    return Problem(tuple(given), asked, written)


def last_boxed(solution: str) -> str:
    """What stands in the last `\\boxed{..}`, braces within it and all; empty if there is none, or if it is not closed."""
    start = solution.rfind(_BOXED)
    if start < 0:
        return ""
    depth = 1
    for end in range(start + len(_BOXED), len(solution)):
        depth += {"{": 1, "}": -1}.get(solution[end], 0)
        if depth == 0:
            return solution[start + len(_BOXED) : end].strip()
    return ""
