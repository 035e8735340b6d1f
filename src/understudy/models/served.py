"""A language model as a speaker whose tokens are sampled elsewhere: by a server that takes ids and gives ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from understudy.models.chat import ChatFormat
from understudy.models.sampler import Sampled
from understudy.models.view import CONTEXT_FULL, View, as_message
from understudy.runs import stream_seed
from understudy.speaker import Failure, Request
from understudy.types import Message, TokenRecord

Generate = Callable[[list[int], int], Awaitable[Sampled | Failure]]
"""Given all tokens so far, samples the next message: up to its end of turn (included), or the longest message.

The other argument seeds the message, for samplers that take a seed: `ModelSpeaker` draws its uniforms from the same.
"""


class ServedSpeaker:
    """Takes one side of one dialogue, as `ModelSpeaker` takes it of many.

    Args:
        format: of the side it speaks for.
        generate: samples each message.
        max_message_tokens: the longest message that `generate` gives.
        max_length: the longest dialogue in tokens; one that could outgrow it fails.
    """

    def __init__(self, format: ChatFormat, generate: Generate, *, max_message_tokens: int, max_length: int) -> None:
        self.format, self.generate = format, generate
        self.max_message_tokens, self.max_length = max_message_tokens, max_length
        self._view: View | None = None

    async def reply(self, request: Request) -> Message | Failure:
        view = self._view = self._view or View.of(self.format, request)
        view.read(request)
        if not view.fits(self.max_message_tokens, self.max_length):
            return CONTEXT_FULL
        seed = stream_seed(request.seed, self.format.side, str(len(request.messages)))
        sampled = await self.generate([*view.ids], seed)
        if isinstance(sampled, Failure):
            return sampled
        view.write(sampled)
        return as_message(self.format, sampled, request.forced)

    async def finish(self, key: int) -> TokenRecord | None:
        view, self._view = self._view, None
        return None if view is None else view.record()
