"""What a user model says in people's place: one reply in each of many logged contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from understudy.models.load import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.runs import stream, stream_seed
from understudy.speaker import Request
from understudy.types import Dialogue, Message

_WIDTH = 256


class OwnReply(NamedTuple):
    """The model's `reply` in place of `dialogue.messages[position]`."""

    dialogue: Dialogue
    position: int
    reply: Message


def own_replies(
    chat_model: ChatModel,
    dialogues: Sequence[Dialogue],
    *,
    contexts: int,
    max_message_tokens: int,
    temperature: float,
    seed: int,
    on_contexts: Callable[[int, int], None] | None = None,
) -> Iterator[OwnReply]:
    """Replies in up to `contexts` logged contexts, drawn at random; those that do not fit the model's are left out.

    Args:
        on_contexts: called with the number of contexts answered and their total.
    """
    places = [(d, i) for d in dialogues for i, message in enumerate(d.messages) if message.role == "user"]
    drawn = [places[i] for i in stream(seed, "contexts").permutation(len(places))[:contexts]]
    speaker = ModelSpeaker(
        chat_model, "user", width=_WIDTH, max_message_tokens=max_message_tokens, temperature=temperature
    )
    for first in range(0, len(drawn), _WIDTH):
        part = drawn[first : first + _WIDTH]
        requests = [
            Request(k, "user", d.task.user_prompt, tuple(d.messages[:i]), stream_seed(seed, "reply", str(first + k)))
            for k, (d, i) in enumerate(part)
        ]
        replies = speaker.reply(requests)
        for request in requests:
            speaker.finish(request.key)
        yield from (OwnReply(d, i, r) for (d, i), r in zip(part, replies, strict=True) if isinstance(r, Message))
        if on_contexts:
            on_contexts(first + len(part), len(drawn))
