"""A language model as a speaker, on either side of the dialogue."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from understudy.config import SamplingConfig
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.sampler import Sampled, Sampler
from understudy.runs import stream
from understudy.speaker import Failure, Request
from understudy.types import Message, Role, TokenRecord

SILENCE = "..."
"""How a message without a word is written down; a model may stop at once, a log has no empty lines."""
CONTEXT_FULL = "the dialogue is longer than the model's context"


@dataclass
class _View:
    """One dialogue as this side's model has it: its place in the sampler, tokens so far, messages rendered."""

    place: int
    ids: list[int]
    sampled: list[bool]
    logprobs: list[float]
    spans: list[tuple[int, int]] = field(default_factory=list)
    rendered: int = 0

    def append(self, ids: Sequence[int], sampled: Sequence[bool] | None = None) -> None:
        self.ids += ids
        self.sampled += sampled if sampled is not None else [False] * len(ids)
        self.logprobs += [0.0] * len(ids)

    def copy(self) -> _View:
        return replace(self, ids=[*self.ids], sampled=[*self.sampled], logprobs=[*self.logprobs], spans=[*self.spans])

    def record(self) -> TokenRecord:
        return TokenRecord(tuple(self.ids), tuple(self.sampled), tuple(self.logprobs), tuple(self.spans))


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
        self.sampler = Sampler(chat_model.model, width)
        self._end = self.format.end_of_dialogue if side == "user" else None
        self._stops = [self.format.end_of_turn]
        self._views: dict[int, _View] = {}
        # The lowest free place first: on some processors a row's rounding depends on its place, and a resumed run must not
        # depend on the order in which earlier dialogues ended.
        self._free = list(range(width))

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        answers: list[Message | Failure] = [Failure(CONTEXT_FULL)] * len(requests)
        asked = self._asked(requests)
        written = self._write(*self._unread(asked), [requests[index] for index, _ in asked]) if asked else []
        for (index, view), sampled in zip(asked, written, strict=True):
            self._append(view, sampled)
            answers[index] = self.message(sampled, requests[index].forced)
        return answers

    def alternatives(
        self, requests: Sequence[Request], count: int
    ) -> list[list[tuple[Message, TokenRecord]] | Failure]:
        """`count` different ways to write each next message, each with its record; the dialogues end there.

        What was said before is read once for all of them.
        """
        answers: list[list[tuple[Message, TokenRecord]] | Failure] = [Failure(CONTEXT_FULL)] * len(requests)
        asked = self._asked(requests)
        chosen = [requests[index] for index, _ in asked]
        written = self._candidates(*self._unread(asked), chosen, count) if asked else []
        for (index, view), candidates in zip(asked, written, strict=True):
            found: list[tuple[Message, TokenRecord]] = []
            for sampled in candidates:
                branch = view.copy()
                self._append(branch, sampled)
                found.append((self.message(sampled, requests[index].forced), branch.record()))
            answers[index] = found
        for request in requests:
            self.finish(request.key)
        return answers

    def _asked(self, requests: Sequence[Request]) -> list[tuple[int, _View]]:
        """The requests that fit the context, as indices, with their views brought up to date.

        In the order of their places, so that a full house needs no copy of the cache.
        """
        asked: list[tuple[int, _View]] = []
        for index, request in enumerate(requests):
            view = self._view(request)
            self._render(view, request)
            if len(view.ids) + self.max_message_tokens <= self.max_length:
                asked.append((index, view))
        return sorted(asked, key=lambda item: item[1].place)

    def _unread(self, asked: Sequence[tuple[int, _View]]) -> tuple[list[int], list[list[int]]]:
        """Their places, and the tokens that each place has not seen yet."""
        return (
            [view.place for _, view in asked],
            [view.ids[self.sampler.held[view.place] :] for _, view in asked],
        )

    def finish(self, key: int) -> TokenRecord | None:
        view = self._views.pop(key, None)
        if view is None:
            return None
        self.sampler.release(view.place)
        heapq.heappush(self._free, view.place)
        return view.record()

    def _view(self, request: Request) -> _View:
        if request.key not in self._views:
            ids = self.format.start(request.prompt, own_opens=self.format.own_opens(request.messages))
            view = _View(heapq.heappop(self._free), ids, [False] * len(ids), [0.0] * len(ids))
            self._views[request.key] = view
        return self._views[request.key]

    def _render(self, view: _View, request: Request) -> None:
        """Append what was said since this side last spoke; own messages from a log are appended unsampled."""
        for position, message in enumerate(request.messages[view.rendered :], start=view.rendered):
            if message.role == self.side:
                view.append(self.format.own(message, request.messages[:position])[0])
            else:
                view.append(self.format.other(request.prompt, message, first=position == 0))
        view.rendered = len(request.messages) + 1  # the message to be written counts as rendered
        view.append(self.format.before_own(request.messages))
        if request.forced:
            view.append(self.format.words(request.forced))

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

    def _append(self, view: _View, sampled: Sampled) -> None:
        start = len(view.ids)
        view.ids += sampled.ids
        view.sampled += [True] * len(sampled.ids)
        view.logprobs += sampled.logprobs
        view.spans.append((start, len(view.ids)))
        if not sampled.stopped:
            view.append([self.format.end_of_turn])
        view.append(self.format.after_own)

    def message(self, sampled: Sampled, forced: str = "") -> Message:
        """What was sampled, as a message that begins with the forced words."""
        words = sampled.ids[:-1] if sampled.stopped else sampled.ids
        text = self.format.text(words)
        ended = self._end is not None and words[:1] == [self._end]
        text = f"{forced} {text}".strip()
        return Message(self.side, text if text or ended else SILENCE, ended)


def model_speaker(chat_model: ChatModel, side: Role, sampling: SamplingConfig) -> ModelSpeaker:
    """A model as it is sampled from under a config."""
    return ModelSpeaker(
        chat_model,
        side,
        width=sampling.width,
        max_message_tokens=sampling.max_message_tokens,
        temperature=sampling.temperature,
    )
