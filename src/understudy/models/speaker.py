"""A language model as a speaker, on either side of the dialogue."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from understudy.config import SamplingConfig
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.sampler import Sampled, Sampler
from understudy.models.served_sampler import ServedSampler
from understudy.models.view import CONTEXT_FULL, View, as_message
from understudy.runs import stream
from understudy.speaker import Failure, Request
from understudy.types import Message, Role, TokenRecord


class ModelSpeaker:
    """Takes one side of up to `width` dialogues at once with a causal language model.

    Args:
        chat_model: the model; its weights are copied (see `Sampler.load_weights`).
        side: the side it speaks for.
        width: dialogues at once.
        max_message_tokens: a message is cut there, its end of turn added unsampled.
        temperature: of sampling; 0 is greedy.
    """

    def __init__(
        self,
        chat_model: ChatModel,
        side: Role,
        *,
        width: int,
        max_message_tokens: int,
        temperature: float = 1.0,
    ) -> None:
        self.format = ChatFormat.of(chat_model, side)
        self.side = side
        self.temperature = temperature
        self.max_message_tokens = max_message_tokens
        self.max_length = context_length(chat_model.model)
        self.sampler: Sampler | ServedSampler = Sampler(chat_model.model, width)
        self._stops = [self.format.end_of_turn]
        self._views: dict[int, View] = {}
        self._places: dict[int, int] = {}
        # The lowest free place first: on some processors a row's rounding depends on its place, and a resumed run must not
        # depend on the order in which earlier dialogues ended.
        self._free = list(range(width))

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        answers: list[Message | Failure] = [CONTEXT_FULL] * len(requests)
        asked = self._asked(requests)
        chosen = [requests[index] for index in asked]
        written = self._write(*self._unread(chosen), chosen) if asked else []
        for index, request, sampled in zip(asked, chosen, written, strict=True):
            self._views[request.key].write(sampled)
            answers[index] = as_message(self.format, sampled, request.forced)
        return answers

    def alternatives(
        self, requests: Sequence[Request], count: int
    ) -> list[list[tuple[Message, TokenRecord]] | Failure]:
        """`count` different ways to write each next message, each with its record; the dialogues end there.

        What was said before is read once for all of them.
        """
        answers: list[list[tuple[Message, TokenRecord]] | Failure] = [CONTEXT_FULL] * len(requests)
        asked = self._asked(requests)
        chosen = [requests[index] for index in asked]
        written = self._candidates(*self._unread(chosen), chosen, count) if asked else []
        for index, request, candidates in zip(asked, chosen, written, strict=True):
            found: list[tuple[Message, TokenRecord]] = []
            for sampled in candidates:
                branch = self._views[request.key].copy()
                branch.write(sampled)
                found.append((as_message(self.format, sampled, request.forced), branch.record()))
            answers[index] = found
        for request in requests:
            self.finish(request.key)
        return answers

    def _asked(self, requests: Sequence[Request]) -> list[int]:
        """The requests that fit the context, as indices, with their views brought up to date.

        In the order of their places, so that a full house needs no copy of the cache.
        """
        asked: list[int] = []
        for index, request in enumerate(requests):
            view = self._view(request)
            view.read(request)
            if view.fits(self.max_message_tokens, self.max_length):
                asked.append(index)
        return sorted(asked, key=lambda index: self._places[requests[index].key])

    def _unread(self, asked: Sequence[Request]) -> tuple[list[int], list[list[int]]]:
        """Their places, and the tokens that each place has not seen yet."""
        places = [self._places[request.key] for request in asked]
        held = self.sampler.held
        return places, [
            self._views[request.key].ids[held[place] :] for request, place in zip(asked, places, strict=True)
        ]

    def finish(self, key: int) -> TokenRecord | None:
        view = self._views.pop(key, None)
        if view is None:
            return None
        place = self._places.pop(key)
        self.sampler.release(place)
        heapq.heappush(self._free, place)
        return view.record()

    def take_back(self, key: int) -> None:
        view, place = self._views[key], self._places[key]
        view.take_back()
        self.sampler.keep(place, len(view.ids))

    def _view(self, request: Request) -> View:
        if request.key not in self._views:
            self._views[request.key] = View.of(self.format, request)
            self._places[request.key] = heapq.heappop(self._free)
        return self._views[request.key]

    def _candidates(
        self,
        places: Sequence[int],
        new_ids: Sequence[Sequence[int]],
        requests: Sequence[Request],
        count: int,
    ) -> list[list[Sampled]]:
        """[B][count] messages for each place, which has not seen its `new_ids` yet."""
        shape = (count, self.max_message_tokens)
        draws = (stream(request.seed, self.side, str(len(request.messages))) for request in requests)
        uniforms = np.stack([generator.random(shape) for generator in draws])
        return self.sampler.sample(places, new_ids, uniforms, stops=self._stops, temperature=self.temperature)

    def _write(
        self, places: Sequence[int], new_ids: Sequence[Sequence[int]], requests: Sequence[Request]
    ) -> list[Sampled]:
        return [only for (only,) in self._candidates(places, new_ids, requests, 1)]


def model_speaker(chat_model: ChatModel, side: Role, sampling: SamplingConfig) -> ModelSpeaker:
    """A model as it is sampled from under a config."""
    return ModelSpeaker(
        chat_model,
        side,
        width=sampling.width,
        max_message_tokens=sampling.max_message_tokens,
        temperature=sampling.temperature,
    )
