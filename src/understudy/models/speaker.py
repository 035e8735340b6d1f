"""A language model as a speaker, on either side of the dialogue."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from understudy.models.chat import ChatFormat
from understudy.models.load import ChatModel
from understudy.models.sampler import Sampled, Sampler
from understudy.runs import stream
from understudy.speaker import Failure, Request
from understudy.types import Message, Role, TokenRecord

SILENCE = "..."
"""How a message without a word is written down; a model may stop at once, a log has no empty lines."""
CONTEXT_FULL = "the dialogue is longer than the model's context"


@dataclass
class _View:
    """One dialogue as this side's model has it: tokens so far, how many the model was fed, messages rendered."""

    place: int
    ids: list[int]
    sampled: list[bool]
    logprobs: list[float]
    spans: list[tuple[int, int]] = field(default_factory=list)
    fed: int = 0
    rendered: int = 0

    def append(self, ids: Sequence[int], sampled: Sequence[bool] | None = None) -> None:
        self.ids += ids
        self.sampled += sampled if sampled is not None else [False] * len(ids)
        self.logprobs += [0.0] * len(ids)


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
        self.max_length = int(chat_model.model.config.max_position_embeddings)
        self.sampler = Sampler(chat_model.model, width, self.max_length)
        self._views: dict[int, _View] = {}
        # The lowest free place first: on some processors a row's rounding depends on its place, and a resumed run must not
        # depend on the order in which earlier dialogues ended.
        self._free = list(range(width))

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        answers: list[Message | Failure] = [Failure(CONTEXT_FULL)] * len(requests)
        asked: list[tuple[int, _View]] = []
        for index, request in enumerate(requests):
            view = self._view(request)
            self._render(view, request)
            if len(view.ids) + self.max_message_tokens <= self.max_length:
                asked.append((index, view))
        if not asked:
            return answers
        # Rows in the order of their places, so that a full house needs no copy of the cache.
        asked.sort(key=lambda item: item[1].place)
        uniforms = np.stack([self._uniforms(requests[index]) for index, _ in asked])
        end = self.format.end_of_dialogue if self.side == "user" else None
        written = self.sampler.sample(
            [view.place for _, view in asked],
            [view.ids[view.fed :] for _, view in asked],
            uniforms,
            stops=[self.format.end_of_turn, *([end] if end is not None else [])],
            temperature=self.temperature,
        )
        for (index, view), sampled in zip(asked, written, strict=True):
            answers[index] = self._take(view, sampled, end, requests[index].forced)
        return answers

    def finish(self, key: int) -> TokenRecord | None:
        view = self._views.pop(key, None)
        if view is None:
            return None
        self.sampler.release(view.place)
        heapq.heappush(self._free, view.place)
        return TokenRecord(tuple(view.ids), tuple(view.sampled), tuple(view.logprobs), tuple(view.spans))

    def _view(self, request: Request) -> _View:
        if request.key not in self._views:
            ids = self.format.start(request.prompt)
            view = _View(heapq.heappop(self._free), ids, [False] * len(ids), [0.0] * len(ids))
            self._views[request.key] = view
        return self._views[request.key]

    def _render(self, view: _View, request: Request) -> None:
        """Append what was said since this side last spoke; own messages from a log are appended unsampled."""
        for position, message in enumerate(request.messages[view.rendered :], start=view.rendered):
            own = message.role == self.side
            first = position == 0
            view.append(self.format.own(message)[0] if own else self.format.other(request.prompt, message, first=first))
        view.rendered = len(request.messages) + 1  # the message to be written counts as rendered
        view.append(self.format.before_own)
        if request.forced:
            view.append(self.format.words(request.forced))

    def _uniforms(self, request: Request) -> np.ndarray:
        return stream(request.seed, self.side, str(len(request.messages))).random(self.max_message_tokens)

    def _take(self, view: _View, sampled: Sampled, end: int | None, forced: str) -> Message:
        start = len(view.ids)
        view.fed = start + len(sampled.ids) - 1
        view.ids += sampled.ids
        view.sampled += [True] * len(sampled.ids)
        view.logprobs += sampled.logprobs
        view.spans.append((start, len(view.ids)))
        if not sampled.stopped:
            view.append([self.format.end_of_turn])
        view.append(self.format.after_own)
        words = sampled.ids[:-1] if sampled.stopped else sampled.ids
        text = self.format.text(words)
        ended = sampled.stopped and sampled.ids[-1] == end
        text = f"{forced} {text}".strip()
        return Message(self.side, text if text or ended else SILENCE, ended)
