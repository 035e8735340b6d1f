"""One dialogue as one side's model has it: tokens that are only ever appended to, whoever samples them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from understudy.models.chat import ChatFormat
from understudy.models.sampler import Sampled
from understudy.speaker import Failure, Request
from understudy.types import Message, TokenRecord

SILENCE = "..."
"""How a message without a word is written down; a model may stop at once, a log has no empty lines."""
CONTEXT_FULL = Failure(
    "the dialogue is longer than the model's context",
    fix="raise max_length of the models, or lower sampling.max_message_tokens",
)


@dataclass
class View:
    """The prompt and all messages so far, as sampled and as appended; nothing that was sampled is encoded again.

    Attributes:
        ids, sampled, logprobs, spans: see `TokenRecord`.
        rendered: how many messages of the dialogue are in it, the one to be written included.
        heard: how many tokens stand before what begins that message.
    """

    format: ChatFormat
    ids: list[int]
    sampled: list[bool]
    logprobs: list[float]
    spans: list[tuple[int, int]] = field(default_factory=list)
    rendered: int = 0
    heard: int = 0

    @classmethod
    def of(cls, format: ChatFormat, request: Request) -> View:
        """The view before the first message: the prompt, where it has a place of its own."""
        ids = format.start(request.prompt, own_opens=format.own_opens(request.messages))
        return cls(format, ids, [False] * len(ids), [0.0] * len(ids))

    def read(self, request: Request) -> None:
        """Append what was said since this side last spoke, and what its next message begins with.

        Own messages from a log are appended unsampled.
        """
        for position, message in enumerate(request.messages[self.rendered :], start=self.rendered):
            if message.role == self.format.side:
                self._append(self.format.own(message, request.messages[:position])[0])
            else:
                self._append(self.format.other(request.prompt, message, first=position == 0))
        self.rendered, self.heard = len(request.messages) + 1, len(self.ids)
        self._append(self.format.before_own(request.messages))
        if request.forced:
            self._append(self.format.words(request.forced))

    def last_heard(self, message: Message) -> slice:
        """Where the words of the other side's message that was read last stand, with the token that ends them."""
        words, after = self.format.ending(message)
        start = self.heard - after - words
        return slice(start, start + words + min(after, 1))

    def write(self, sampled: Sampled) -> None:
        """Append this side's next message as it was sampled; its end of turn unsampled where it stopped without."""
        start = len(self.ids)
        self.ids += sampled.ids
        self.sampled += [True] * len(sampled.ids)
        self.logprobs += sampled.logprobs
        self.spans.append((start, len(self.ids)))
        if not sampled.stopped:
            self._append([self.format.end_of_turn])
        self._append(self.format.after_own)

    def take_back(self) -> None:
        """Leave out the message that was written last, and what it began with; another may have been said in its place."""
        del self.ids[self.heard :], self.sampled[self.heard :], self.logprobs[self.heard :]
        self.spans = [span for span in self.spans if span[0] < self.heard]
        self.rendered -= 1

    def fits(self, message_tokens: int, length: int) -> bool:
        """Whether a message of so many tokens can follow in a context of that length."""
        return len(self.ids) + message_tokens <= length

    def copy(self) -> View:
        return replace(self, ids=[*self.ids], sampled=[*self.sampled], logprobs=[*self.logprobs], spans=[*self.spans])

    def record(self) -> TokenRecord:
        return TokenRecord(tuple(self.ids), tuple(self.sampled), tuple(self.logprobs), tuple(self.spans))

    def _append(self, ids: Sequence[int]) -> None:
        self.ids += ids
        self.sampled += [False] * len(ids)
        self.logprobs += [0.0] * len(ids)


def as_message(format: ChatFormat, sampled: Sampled, forced: str = "") -> Message:
    """What was sampled, as a message that begins with the forced words."""
    words = sampled.ids[:-1] if sampled.stopped else sampled.ids
    end = format.end_of_dialogue if format.side == "user" else None
    ended = end is not None and words[:1] == [end]
    text = f"{forced} {format.text(words)}".strip()
    return Message(format.side, text if text or ended else SILENCE, ended)
