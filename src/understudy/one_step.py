"""What a speaker says in place of a logged message, given all that was said before it: one step off the logs, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from understudy.runs import stream, stream_seed
from understudy.speaker import Request, Speaker
from understudy.types import Dialogue, Message, Role


class OneStep(NamedTuple):
    """The speaker's own `message` in place of `dialogue.messages[position]`."""

    dialogue: Dialogue
    position: int
    message: Message

    @property
    def logged(self) -> Message:
        """What was said there."""
        return self.dialogue.messages[self.position]

    @property
    def before(self) -> tuple[Message, ...]:
        """What both of them answer."""
        return tuple(self.dialogue.messages[: self.position])

    @property
    def turn(self) -> int:
        """How many messages of this side stand before it."""
        return sum(message.role == self.logged.role for message in self.before)


def one_step(
    speaker: Speaker,
    side: Role,
    dialogues: Sequence[Dialogue],
    *,
    contexts: int,
    width: int,
    seed: int,
    on_contexts: Callable[[int, int], None] | None = None,
) -> Iterator[OneStep]:
    """Messages in up to `contexts` logged contexts, drawn at random; those that the speaker fails to answer are left out.

    Args:
        width: contexts answered at once; a model's own width at most.
        on_contexts: called with the number of contexts answered and their total.
    """
    places = [(d, i) for d in dialogues for i, message in enumerate(d.messages) if message.role == side]
    drawn = [places[i] for i in stream(seed, "contexts").permutation(len(places))[:contexts]]
    for first in range(0, len(drawn), width):
        part = drawn[first : first + width]
        requests = [
            _request(side, d, i, k, stream_seed(seed, "reply", str(first + k))) for k, (d, i) in enumerate(part)
        ]
        answers = speaker.reply(requests)
        for request in requests:
            speaker.finish(request.key)
        yield from (OneStep(d, i, a) for (d, i), a in zip(part, answers, strict=True) if isinstance(a, Message))
        if on_contexts:
            on_contexts(first + len(part), len(drawn))


def _request(side: Role, dialogue: Dialogue, position: int, key: int, seed: int) -> Request:
    user = side == "user"
    return Request(
        key=key,
        role=side,
        prompt=dialogue.task.prompt(side),
        messages=tuple(dialogue.messages[:position]),
        seed=seed,
        person=dialogue.person if user else "",
        goal=dialogue.task.goal if user else None,
    )
