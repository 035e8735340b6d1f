"""Key-value caches of many dialogues at once, each at its own length, kept across turns."""

from __future__ import annotations

import torch
from transformers import Cache

from understudy.models.recurrent import RecurrentStates, where_kept

_BLOCK = {"cpu": 32, "cuda": 128}
"""Columns are added by so many: on a GPU each addition captures the forward pass anew (see `decoding`)."""


class RaggedCache(Cache):
    """A cache whose rows have different lengths: row b writes the keys of its token at position p into column p + 1.

    Column 0 takes what padding writes, so that a chunk can be padded on the left and no row disturbs its own history.
    Columns are added as the longest row needs them, and are all read at every step: products of whole, contiguous tensors
    are several times as fast on a CPU as those of a part of each row.

    Works with any causal LM of transformers that takes `position_ids`, a four-dimensional mask and a `Cache`. Layers that
    look back over a window alone keep the whole dialogue too, and are told by their mask how far to look. How many heads a
    layer keeps, of which size and on which device, shows with its first tokens: they may differ from layer to layer.
    Recurrent layers keep their `states`, which padding would disturb: the rows of a pass are given equally many tokens.
    """

    def __init__(self, keys: list[torch.Tensor], values: list[torch.Tensor], states: RecurrentStates) -> None:
        self.keys, self.values, self.states = keys, values, states
        self.layers: list[object] = []  # all storage is in `keys`, `values` and `states`
        self._columns = torch.zeros(0, 0, dtype=torch.long)
        self._rows = torch.zeros(0, 1, dtype=torch.long)
        self._some: torch.Tensor | None = None

    @classmethod
    def empty(cls, layers: int, rows: int, dtype: torch.dtype, device: torch.device) -> RaggedCache:
        """Room for `rows` dialogues, in which nothing was said."""
        nothing = torch.zeros((rows, 0, 0, 0), dtype=dtype, device=device)
        return cls([nothing] * layers, [nothing] * layers, RecurrentStates(rows))

    @property
    def rows(self) -> int:
        return self.keys[0].shape[0]

    @property
    def width(self) -> int:
        """Columns of each row."""
        return self.keys[0].shape[2]

    def select(self, rows: torch.Tensor, length: int) -> RaggedCache:
        """A working copy of some rows, cut to `length` tokens."""
        width = self._columns_for(length)
        keys, values = ([kept[where_kept(kept, rows), :, :width] for kept in held] for held in (self.keys, self.values))
        return RaggedCache(keys, values, self.states.select(rows))

    def branch(self) -> RaggedCache:
        """The same keys and values, of which what comes is written over later, with a copy of the states."""
        states = self.states.select(torch.arange(self.rows))
        return RaggedCache(self.keys, self.values, states)

    def store(self, rows: torch.Tensor, work: RaggedCache) -> None:
        """Write a working copy back."""
        self._widen(work.width)
        for held, new in ((self.keys, work.keys), (self.values, work.values)):
            for layer, part in enumerate(new):
                held[layer] = _shaped(held[layer], part)
                held[layer][where_kept(part, rows), :, : work.width] = part
        self.states.store(rows, work.states)

    def reserve(self, length: int) -> None:
        """Make room for rows of up to `length` tokens."""
        self._widen(self._columns_for(length))

    def place(self, positions: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """Announce the positions of the next tokens, for which there is room (see `reserve`).

        Args:
            positions: [B, n] position of each token in its row, -1 for padding.
            rows: [B] the rows that get tokens; None for all, in order.

        Returns:
            [B, 1, n, width] the attention mask, true where a token attends.
        """
        self._columns = positions + 1
        self._some = rows
        self._rows = (torch.arange(positions.shape[0], device=positions.device) if rows is None else rows)[:, None]
        columns = torch.arange(self.width, device=positions.device)[None, None, None, :]
        own = self._columns[:, None, :, None]
        # Padding attends to its own column alone: attending to nothing would write NaN there.
        return (columns <= own) & ((columns > 0) | (own == 0))

    def within(self, mask: torch.Tensor, window: int) -> torch.Tensor:
        """The mask of `place` for layers that attend to the last `window` tokens alone, each token's own included."""
        columns = torch.arange(self.width, device=mask.device)[None, None, None, :]
        return mask & (columns > self._columns[:, None, :, None] - window)

    def within_chunk(self, mask: torch.Tensor, size: int) -> torch.Tensor:
        """The mask of `place` for layers that attend within chunks of so many positions alone."""
        columns = torch.arange(self.width, device=mask.device)[None, None, None, :]
        return mask & ((columns - 1) // size == (self._columns[:, None, :, None] - 1) // size)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        k = self.keys[layer_idx] = _shaped(self.keys[layer_idx], key_states)
        v = self.values[layer_idx] = _shaped(self.values[layer_idx], value_states)
        rows, columns = where_kept(k, self._rows), where_kept(k, self._columns)
        k[rows, :, columns] = key_states.transpose(1, 2).to(k.dtype)
        v[rows, :, columns] = value_states.transpose(1, 2).to(v.dtype)
        return (k, v) if self._some is None else (k[where_kept(k, self._some)], v[where_kept(k, self._some)])

    def get_conv_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor | None:
        return self.states.read(("conv", layer_idx, state_idx), self._some)

    def update_conv_state(
        self,
        conv_states: torch.Tensor,
        layer_idx: int,
        state_idx: int = 0,
        conv_kernel_size: int | None = None,
        **kwargs: object,
    ) -> torch.Tensor:
        """The last inputs of a convolution, [rows, channels, n], and the new ones after them; as many are kept as it covers."""
        key = ("conv", layer_idx, state_idx)
        before = self.states.read(key, self._some)
        size = conv_kernel_size or conv_states.shape[-1]
        if before is None:
            before = conv_states.new_zeros((*conv_states.shape[:-1], size))
        joined = torch.cat([before, conv_states], -1)
        self.states.write(key, joined[..., -before.shape[-1] :], self._some)
        return joined

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor | None:
        return self.states.read(("recurrent", layer_idx, state_idx), self._some)

    def update_recurrent_state(
        self, recurrent_states: torch.Tensor, layer_idx: int, state_idx: int = 0, **kwargs: object
    ) -> torch.Tensor:
        self.states.write(("recurrent", layer_idx, state_idx), recurrent_states, self._some)
        return recurrent_states

    def is_recording_past(self, layer_idx: int | None = None) -> bool:
        return False

    def settle(self) -> None:
        """A forward pass is over."""
        self.states.settle(self._some)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.width

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return self.width, 0

    def _columns_for(self, length: int) -> int:
        """Columns for so many tokens and the padding, in whole blocks: widening copies."""
        block = _BLOCK[self.keys[0].device.type]
        return -(-(length + 1) // block) * block

    def _widen(self, width: int) -> None:
        """Add columns up to `width`, one layer after the other, so that no two copies of the whole are held."""
        for held in (self.keys, self.values):
            for layer, old in enumerate(held):
                if old.shape[2] < width:
                    held[layer] = torch.nn.functional.pad(old, (0, 0, 0, width - old.shape[2]))


def _shaped(kept: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """What a layer keeps, [rows, heads, width, d]: before its first tokens, nothing of this was known."""
    if kept.shape[1]:
        return kept
    return new.new_zeros((kept.shape[0], new.shape[1], kept.shape[2], new.shape[3]), dtype=kept.dtype)
