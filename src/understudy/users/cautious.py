"""An aligned user that leaves where it would have to guess."""

from __future__ import annotations

import math
from collections.abc import Sequence

from understudy.config import SamplingConfig
from understudy.errors import ModelError
from understudy.models.chat_model import ChatModel
from understudy.models.sampler import Sampled, Sampler
from understudy.speaker import Request
from understudy.users.aligned import AlignedSpeaker
from understudy.users.residual import ResidualEnergy
from understudy.users.support import Support, atypicality, said_before


class CautiousSpeaker(AlignedSpeaker):
    """Answers as an aligned user does, and leaves without a word after a message of the agent that is outside its support.

    Args:
        support: what it has learned to answer; for all else see `AlignedSpeaker`.

    Raises:
        ModelError: if the model has no token to leave with.
    """

    def __init__(
        self,
        chat_model: ChatModel,
        residual: ResidualEnergy | None,
        support: Support,
        sampling: SamplingConfig,
        *,
        candidates: int,
    ) -> None:
        super().__init__(chat_model, residual, sampling, candidates=candidates)
        if self.format.end_of_dialogue is None:
            raise ModelError(
                "is to leave where it knows no answer, but its tokenizer has no token to leave with",
                where=str(chat_model.model.name_or_path),
                fix="align the user again, which adds the token",
            )
        self.support = support
        self._leaves = Sampled([self.format.end_of_dialogue, self.format.end_of_turn], [0.0, 0.0], stopped=True)

    def _write(
        self, places: Sequence[int], new_ids: Sequence[Sequence[int]], requests: Sequence[Request]
    ) -> list[Sampled]:
        heard = [i for i, request in enumerate(requests) if request.messages]
        again = {i for i in heard if said_before(requests[i].messages) > self.support.repeats}
        answering = [i for i in heard if i not in again]
        far, unread = [-math.inf] * len(requests), [*new_ids]
        if answering:
            found = self._hear(
                [places[i] for i in answering], [new_ids[i] for i in answering], [requests[i] for i in answering]
            )
            for i, atypical in zip(answering, found, strict=True):
                far[i], unread[i] = atypical, new_ids[i][-1:]
        stays = [i for i in range(len(requests)) if i not in again and far[i] <= self.support.limit]
        answers = [self._leaves] * len(requests)
        if stays:
            written = super()._write(
                [places[i] for i in stays], [unread[i] for i in stays], [requests[i] for i in stays]
            )
            for i, answer in zip(stays, written, strict=True):
                answers[i] = answer
        return answers

    def _hear(
        self, places: Sequence[int], new_ids: Sequence[Sequence[int]], requests: Sequence[Request]
    ) -> list[float]:
        """Feed each place its new tokens but for the last, and tell how atypical the message is that it is to answer."""
        sampler = self.sampler
        assert isinstance(sampler, Sampler)  # a served one is an agent's
        counts, scored = [], []
        for request in requests:
            view = self._views[request.key]
            words = view.last_heard(request.messages[-1])
            counts.append(words.stop - words.start)
            scored.append(len(view.ids) - 1 - words.start)
        found = sampler.read(places, [ids[:-1] for ids in new_ids], scored)
        return [atypicality(*surprise[:, :count]) for surprise, count in zip(found, counts, strict=True)]
