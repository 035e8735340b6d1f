"""The aligned user as a speaker: a fine-tuned model whose replies are resampled by what it still gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from understudy.config import SamplingConfig
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.sampler import Sampled
from understudy.models.speaker import ModelSpeaker, model_speaker
from understudy.models.view import as_message
from understudy.runs import stream
from understudy.speaker import Request
from understudy.users.residual import ResidualEnergy


class AlignedSpeaker(ModelSpeaker):
    """Writes several candidates per reply, and says one drawn with probability proportional to exp(energy).

    Sampling-importance-resampling: as the candidates grow in number, replies follow the residual energy-based model. The
    log-probabilities in its token record are those of the model that wrote the candidates.

    Args:
        chat_model, width, max_message_tokens, temperature: see `ModelSpeaker`.
        residual: the energy.
        candidates: written per reply, at least 1; 1 samples the model as it is.
    """

    def __init__(
        self,
        chat_model: ChatModel,
        residual: ResidualEnergy,
        *,
        candidates: int,
        width: int,
        max_message_tokens: int,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(
            chat_model, "user", width=width, max_message_tokens=max_message_tokens, temperature=temperature
        )
        self.residual, self.candidates = residual, candidates

    def _write(
        self, places: Sequence[int], new_ids: Sequence[Sequence[int]], requests: Sequence[Request]
    ) -> list[Sampled]:
        written = self._candidates(places, new_ids, requests, self.candidates)
        return [self._choose(request, found) for request, found in zip(requests, written, strict=True)]

    def _choose(self, request: Request, candidates: Sequence[Sampled]) -> Sampled:
        messages = [as_message(self.format, candidate, request.forced) for candidate in candidates]
        energies = np.array([self.residual.energy(request.prompt, request.messages, m) for m in messages])
        weights = np.exp(energies - energies.max())
        chance = stream(request.seed, self.side, str(len(request.messages)), "candidate").random()
        cumulative = weights.cumsum()
        # Against its own last value, which rounding may set apart from the sum.
        return candidates[int(np.searchsorted(cumulative[:-1], chance * cumulative[-1], side="right"))]


def load_user(
    name_or_folder: str | Path, sampling: SamplingConfig, *, candidates: int, remote_code: bool = False
) -> ModelSpeaker:
    """A user model as a speaker, with its residual energy where one lies beside it.

    Args:
        candidates: see `AlignedSpeaker`; not looked at where there is no energy.
        remote_code: see `load_chat_model`.

    Raises:
        ModelError: if the model or its energy cannot be loaded.
    """
    chat_model = load_chat_model(name_or_folder, remote_code=remote_code)
    return user_speaker(chat_model, name_or_folder, sampling, candidates=candidates)


def user_speaker(
    chat_model: ChatModel, name_or_folder: str | Path, sampling: SamplingConfig, *, candidates: int
) -> ModelSpeaker:
    """As `load_user`, of a model that was loaded from there."""
    residual = ResidualEnergy.load(Path(name_or_folder))
    if residual is None:
        return model_speaker(chat_model, "user", sampling)
    return AlignedSpeaker(
        chat_model,
        residual,
        candidates=candidates,
        width=sampling.width,
        max_message_tokens=sampling.max_message_tokens,
        temperature=sampling.temperature,
    )
