"""Word problems from a folder, cut into the sentences that a user tells one at a time."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import LogError
from understudy.tasks.prose import sentences

TRAIN, TEST = "train.jsonl", "test.jsonl"
_ANSWER = re.compile(r"####\s*(.+?)\s*$")
_FIX = (
    f"give the folder of GSM8K with {TRAIN} and {TEST} as its authors publish them: lines with `question` and `answer` "
    "(.. #### 42)"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: what is given, sentence by sentence; what is asked; and the answer as the data set writes it."""

    given: tuple[str, ...]
    asked: str
    answer: str


def read_problems(path: Path) -> list[Problem]:
    """The problems of a GSM8K file (Cobbe et al. 2021, arXiv 2110.14168).

    Those of one sentence leave nothing to ask for, and are left out.

    Raises:
        LogError: naming file and line, if the file is missing or a line is not a problem.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise LogError(f"cannot be read: {error.strerror}", where=str(path), fix=_FIX) from error
    except UnicodeDecodeError as error:
        raise LogError(f"is no UTF-8: byte {error.start + 1}", where=str(path), fix=_FIX) from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        problem = _problem(line, f"{path}:{number}")
        if problem.given:
            found.append(problem)
    if not found:
        raise LogError("holds no problem of two sentences or more", where=str(path), fix=_FIX)
    return found


def _problem(line: str, where: str) -> Problem:
    try:
        record = json.loads(line)
        question, answer = record["question"], _ANSWER.search(record["answer"])
    except (ValueError, KeyError, TypeError) as error:
        raise LogError(f"is no problem ({error!r})", where=where, fix=_FIX) from error
    if not isinstance(question, str) or not question.strip():
        raise LogError("has an empty question", where=where, fix=_FIX)
    if answer is None:
        raise LogError("has no answer after ####", where=where, fix=_FIX)
    *given, asked = sentences(question)
    return Problem(tuple(given), asked, answer[1].replace(",", ""))
