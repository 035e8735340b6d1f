"""The states of recurrent layers (linear attention, Mamba, short convolutions), of many dialogues at once."""

from __future__ import annotations

import torch

Key = tuple[str, int, int]
"""The name of a state, its layer, and its place among the layer's states of that name."""


class RecurrentStates:
    """One tensor [rows, ..] for each state of each layer, of a size that does not depend on what was said.

    A state sums up all that a row was given, in order: no token can be taken out of it again, and padding would be one more
    token. A row in which nothing was said holds zeros, as such layers begin.
    """

    def __init__(self, rows: int, kept: dict[Key, torch.Tensor] | None = None) -> None:
        self.rows = rows
        self._kept = kept or {}
        self._lent: dict[Key, torch.Tensor] = {}

    def __bool__(self) -> bool:
        return bool(self._kept)

    def read(self, key: Key, rows: torch.Tensor | None) -> torch.Tensor | None:
        """What `rows` hold; of all (None) it is the tensor itself. None before anything was ever written.

        Some layers write into what they are given, so that `settle` must follow.
        """
        kept = self._kept.get(key)
        if kept is None or rows is None:
            return kept
        self._lent[key] = kept[where_kept(kept, rows)]
        return self._lent[key]

    def write(self, key: Key, new: torch.Tensor, rows: torch.Tensor | None) -> None:
        """Give `rows` (None for all) new states."""
        self._lent.pop(key, None)
        if key not in self._kept:
            self._kept[key] = new.new_zeros((self.rows, *new.shape[1:]))
        kept = self._kept[key]
        if rows is None:
            kept.copy_(new)  # in place: a captured pass reads this very tensor
        else:
            kept[where_kept(kept, rows)] = new.to(kept.dtype)

    def put_back(self, before: RecurrentStates) -> None:
        """Be what a copy of all rows was, in place."""
        self._lent.clear()
        for key, kept in self._kept.items():
            if key in before._kept:
                kept.copy_(before._kept[key])
            else:
                kept.zero_()

    def settle(self, rows: torch.Tensor | None) -> None:
        """Keep what layers wrote into the states of `rows` that they were given."""
        for key, lent in list(self._lent.items()):
            self.write(key, lent, rows)

    def clear(self, rows: torch.Tensor) -> None:
        """Let `rows` begin anew."""
        for kept in self._kept.values():
            kept[where_kept(kept, rows)] = 0

    def select(self, rows: torch.Tensor) -> RecurrentStates:
        """A copy of some rows, or of one row several times."""
        return RecurrentStates(len(rows), {key: kept[where_kept(kept, rows)] for key, kept in self._kept.items()})

    def store(self, rows: torch.Tensor, other: RecurrentStates) -> None:
        """Give `rows` all that another holds, row by row."""
        for key, kept in other._kept.items():
            self.write(key, kept, rows)


def where_kept(kept: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """An index on the device of what it picks from: layers may stand on several."""
    return index.to(kept.device)
