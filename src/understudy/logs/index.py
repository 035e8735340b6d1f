"""What has been seen so far, on disk, so that memory does not grow with the logs."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from understudy.logs.conversation import Conversation


class SeenIndex:
    """Finds conversations whose words were seen before, and makes ids unique.

    Args:
        path: of a new database file, which the caller deletes.
    """

    def __init__(self, path: Path) -> None:
        self._database = _scratch(path)
        self._database.execute("create table words (digest blob primary key, place text) without rowid")
        self._database.execute("create table ids (id text primary key, times integer) without rowid")

    def twin(self, conversation: Conversation, where: str) -> str | None:
        """Where the same words were said before; None, and remembered, if nowhere."""
        spoken = [(turn.role, " ".join(turn.text.split())) for turn in conversation.turns]
        digest = hashlib.blake2b(json.dumps(spoken).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        row = self._database.execute("select place from words where digest = ?", (digest,)).fetchone()
        if row is None:
            self._database.execute("insert into words values (?, ?)", (digest, where))
            return None
        return str(row[0])

    def unique(self, identity: str) -> str:
        """The id, or the id with a number behind it if it was used before."""
        identity = identity.encode("utf-8", "replace").decode()
        row = self._database.execute("select times from ids where id = ?", (identity,)).fetchone()
        if row is None:
            self._database.execute("insert into ids values (?, 1)", (identity,))
            return identity
        self._database.execute("update ids set times = times + 1 where id = ?", (identity,))
        return self.unique(f"{identity}-{row[0] + 1}")

    def close(self) -> None:
        self._database.close()


class RowIndex:
    """Rows of a table by conversation, in whatever order they came.

    Args:
        path: of a new database file, which the caller deletes.
    """

    def __init__(self, path: Path) -> None:
        self._database = _scratch(path)
        self._count = 0
        self._database.execute("create table rows (conversation text, number integer, place text, row text)")

    def add(self, conversation: str, where: str, row: Mapping[str, Any]) -> None:
        self._count += 1
        self._database.execute(
            "insert into rows values (?, ?, ?, ?)", (conversation, self._count, where, json.dumps(row, default=str))
        )

    def conversations(self) -> Iterator[tuple[str, list[dict[str, Any]], str]]:
        """(name, rows as they came, place of the first of them), in the order of their first rows."""
        self._database.execute("create index by_conversation on rows (conversation)")
        names = self._database.execute("select conversation, min(number) from rows group by conversation order by 2")
        for name, _ in names:
            found = self._database.execute(
                "select row, place from rows where conversation = ? order by number", (name,)
            ).fetchall()
            yield name, [json.loads(row) for row, _ in found], found[0][1]

    def close(self) -> None:
        self._database.close()


def _scratch(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    for setting in ("journal_mode = off", "synchronous = off", "locking_mode = exclusive", "cache_size = -65536"):
        database.execute(f"pragma {setting}")
    return database
