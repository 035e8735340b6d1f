"""Key-value caches of many dialogues at once, each at its own length, kept across turns."""

from __future__ import annotations

import torch
from transformers import Cache, PreTrainedConfig

_BLOCK = {"cpu": 32, "cuda": 128}
"""Columns are added by so many: on a GPU each addition captures the forward pass anew (see `decoding`)."""


class RaggedCache(Cache):
    """A cache whose rows have different lengths: row b writes the keys of its token at position p into column p + 1.

    Column 0 takes what padding writes, so that a chunk can be padded on the left and no row disturbs its own history.
    Columns are added as the longest row needs them, and are all read at every step: products of whole, contiguous tensors
    are several times as fast on a CPU as those of a part of each row.

    Works with any causal LM of transformers that takes `position_ids`, a four-dimensional mask and a `Cache`. Layers that
    look back over a window alone keep the whole dialogue too, and are told by their mask how far to look.
    """

    def __init__(self, keys: list[torch.Tensor], values: list[torch.Tensor]) -> None:
        self.keys, self.values = keys, values
        self.layers: list[object] = []  # all storage is in `keys` and `values`
        self._columns = torch.zeros(0, 0, dtype=torch.long)
        self._rows = torch.zeros(0, 1, dtype=torch.long)
        self._some: torch.Tensor | None = None

    @classmethod
    def empty(cls, config: PreTrainedConfig, rows: int, dtype: torch.dtype, device: torch.device) -> RaggedCache:
        """Room for `rows` dialogues, in which nothing was said."""
        heads, head_dim = kv_heads(config), head_size(config)
        shape = (rows, heads, 0, head_dim)
        layers = range(config.num_hidden_layers)
        return cls(
            [torch.zeros(shape, dtype=dtype, device=device) for _ in layers],
            [torch.zeros(shape, dtype=dtype, device=device) for _ in layers],
        )

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
        return RaggedCache(*([kept[_at(kept, rows), :, :width] for kept in held] for held in (self.keys, self.values)))

    def store(self, rows: torch.Tensor, work: RaggedCache) -> None:
        """Write a working copy back."""
        self._widen(work.width)
        for held, new in ((self.keys, work.keys), (self.values, work.values)):
            for layer, part in enumerate(new):
                held[layer] = held[layer].to(part.device)
                held[layer][_at(part, rows), :, : work.width] = part

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

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # A layer's place is where it is run: what is kept goes there when its first tokens come.
        k, v = (held[layer_idx].to(key_states.device) for held in (self.keys, self.values))
        self.keys[layer_idx], self.values[layer_idx] = k, v
        rows, columns = _at(k, self._rows), _at(k, self._columns)
        k[rows, :, columns] = key_states.transpose(1, 2).to(k.dtype)
        v[rows, :, columns] = value_states.transpose(1, 2).to(v.dtype)
        return (k, v) if self._some is None else (k[_at(k, self._some)], v[_at(k, self._some)])

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


def kv_heads(config: PreTrainedConfig) -> int:
    """Heads whose keys and values are kept: fewer than query heads where these are grouped."""
    found: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return found


def head_size(config: PreTrainedConfig) -> int:
    """Numbers in the key of one head."""
    found: int = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return found


def _at(kept: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return index.to(kept.device)
