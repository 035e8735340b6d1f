"""The aligned user as a speaker: a fine-tuned model whose replies are resampled by what it still gets wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from understudy.config import SamplingConfig
from understudy.models.chat_model import ChatModel
from understudy.models.sampler import Sampled
from understudy.models.speaker import ModelSpeaker
from understudy.models.view import as_message
from understudy.runs import stream
from understudy.speaker import Request
from understudy.users.residual import ResidualEnergy


class AlignedSpeaker(ModelSpeaker):
    """Writes several candidates per reply, and says one drawn with probability proportional to exp(energy).

    Sampling-importance-resampling: as the candidates grow in number, replies follow the residual energy-based model. The
    log-probabilities in its token record are those of the model that wrote the candidates.

    Args:
        residual: the energy; None to sample the model as it is.
        sampling: how it speaks.
        candidates: written per reply, at least 1; 1 samples the model as it is.
    """

    def __init__(
        self,
        chat_model: ChatModel,
        residual: ResidualEnergy | None,
        sampling: SamplingConfig,
        *,
        candidates: int,
    ) -> None:
        super().__init__(
            chat_model,
            "user",
            width=sampling.width,
            max_message_tokens=sampling.max_message_tokens,
            temperature=sampling.temperature,
        )
        self.residual, self.candidates = residual, candidates if residual else 1

    def _write(
        self, places: Sequence[int], new_ids: Sequence[Sequence[int]], requests: Sequence[Request]
    ) -> list[Sampled]:
        written = self._candidates(places, new_ids, requests, self.candidates)
        return [self._choose(request, found) for request, found in zip(requests, written, strict=True)]

    def _choose(self, request: Request, candidates: Sequence[Sampled]) -> Sampled:
        if self.residual is None:
            return candidates[0]
        messages = [as_message(self.format, candidate, request.forced) for candidate in candidates]
        energies = np.array([self.residual.energy(request.prompt, request.messages, m) for m in messages])
        weights = np.exp(energies - energies.max())
        chance = stream(request.seed, self.side, str(len(request.messages)), "candidate").random()
        cumulative = weights.cumsum()
        # Against its own last value, which rounding may set apart from the sum.
        return candidates[int(np.searchsorted(cumulative[:-1], chance * cumulative[-1], side="right"))]
