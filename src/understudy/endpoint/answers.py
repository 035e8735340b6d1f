"""Answers of an endpoint on disk: none is paid for twice, and what was spent is known over all processes of a run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import RunError

ANSWERS, SCORES = "answers.sqlite", "interactivity.sqlite"
"""Files in the folder that the stages of a run share: what a prompted user said, what a judge of interactivity did."""
_WAIT_SECONDS = 60.0
"""How long to wait for another process that writes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, with the tokens that it was billed for.

    Attributes:
        cut: whether it stopped at the limit of tokens.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """Answers that are kept, and the tokens of all that were billed, those that could not be used included.

    Attributes:
        cut: how many of the answers stopped at the limit of tokens.
    """

    answers: int
    prompt_tokens: int
    completion_tokens: int
    cut: int

    def cost(self, price_in: float, price_out: float) -> float:
        """In the unit of the prices, which are per million tokens."""
        return (self.prompt_tokens * price_in + self.completion_tokens * price_out) / 1e6


class AnswerStore:
    """A file of answers by key; safe for threads and processes.

    Args:
        path: SQLite file, made where there is none.

    Raises:
        RunError: if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as database, database:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, text TEXT, prompt_tokens INT, "
                    "completion_tokens INT, cut INT)"
                )
        except (OSError, sqlite3.Error) as error:
            raise RunError(
                f"cannot be used to keep answers: {error}", where=str(path), fix="give another place, or delete it"
            ) from error

    def get(self, key: str) -> Answer | None:
        with closing(self._open()) as database:
            row = database.execute(
                "SELECT text, prompt_tokens, completion_tokens, cut FROM answers WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else Answer(row[0], row[1], row[2], bool(row[3]))

    def put(self, key: str, answer: Answer) -> None:
        values = (key, answer.text, answer.prompt_tokens, answer.completion_tokens, answer.cut)
        with closing(self._open()) as database, database:
            database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", values)

    def is_empty(self) -> bool:
        """Whether no process that shares the file has ever had an answer, one that could not be used included."""
        with closing(self._open()) as database:
            (found,) = database.execute("SELECT EXISTS (SELECT 1 FROM answers)").fetchone()
        return not found

    def spent(self) -> Spent:
        """By all processes that share the file, in this run and those that it goes on from."""
        with closing(self._open()) as database:
            row = database.execute(
                "SELECT COALESCE(SUM(text != ''), 0), "
                "COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(completion_tokens), 0), "
                "COALESCE(SUM(text != '' AND cut), 0) FROM answers"
            ).fetchone()
        return Spent(*row)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=_WAIT_SECONDS)
