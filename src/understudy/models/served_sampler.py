"""The places of a sampler whose tokens are sampled elsewhere: by an engine that takes ids in batches and gives ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from transformers import PreTrainedModel

from understudy.models.sampler import Sampled

GenerateBatch = Callable[[list[list[int]]], list[Sampled]]
"""Given all tokens of each dialogue so far, samples the next message of each: up to a stop token (included), or the longest."""


class ServedSampler:
    """As `Sampler`, for an engine that has the weights, the temperature and the stop tokens already.

    It is sent all tokens of a dialogue at each message, and is expected to find its own caches again by them. Random numbers
    are the engine's: the uniforms that it is given say how many messages are wanted and no more.

    Args:
        places: dialogues at once.
    """

    def __init__(self, places: int, generate: GenerateBatch) -> None:
        self.generate = generate
        self.held = np.zeros(places, dtype=np.int64)
        self._ids: list[list[int]] = [[] for _ in range(places)]

    def load_weights(self, model: PreTrainedModel) -> None:
        """All places are forgotten; the weights have reached the engine by another way."""
        for place in range(len(self._ids)):
            self.keep(place, 0)

    def release(self, place: int) -> None:
        self.keep(place, 0)

    def keep(self, place: int, tokens: int) -> None:
        del self._ids[place][tokens:]
        self.held[place] = len(self._ids[place])

    def sample(
        self,
        places: Sequence[int],
        new_ids: Sequence[Sequence[int]],
        uniforms: np.ndarray,
        *,
        stops: Sequence[int],
        temperature: float,
    ) -> list[list[Sampled]]:
        count = uniforms.shape[1]
        for place, ids in zip(places, new_ids, strict=True):
            self._ids[place] += ids
            self.held[place] = len(self._ids[place])
        written = self.generate([[*self._ids[place]] for place in places for _ in range(count)])
        return [written[row : row + count] for row in range(0, len(written), count)]
