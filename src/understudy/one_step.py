"""What a speaker says in place of a logged message, given all that was said before it: one step off the logs, no more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from understudy.runs import stream, stream_seed
from understudy.speaker import Failure, Request, Speaker, TakesBack
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
) -> list[OneStep]:
    """Messages in up to `contexts` logged contexts, drawn at random; those that the speaker fails to answer are left out.

    A speaker that can take back what it wrote reads each dialogue once for all contexts in it.

    Args:
        width: dialogues under way at once; a model's own width at most.
        on_contexts: called with the number of contexts answered and their total.

    Returns:
        In the order in which the contexts were drawn.
    """
    places = [(k, i) for k, d in enumerate(dialogues) for i, message in enumerate(d.messages) if message.role == side]
    drawn = [places[i] for i in stream(seed, "contexts").permutation(len(places))[:contexts]]
    positions: dict[int, list[int]] = {}
    for k, i in drawn:
        positions.setdefault(k, []).append(i)
    waiting = deque((k, sorted(found)) for k, found in positions.items())
    number = {context: n for n, context in enumerate(drawn)}
    answered: dict[tuple[int, int], Message | Failure] = {}
    under_way: list[tuple[int, list[int]]] = []
    while waiting or under_way:
        while waiting and len(under_way) < width:
            under_way.append(waiting.popleft())
        asked = [(k, left[0]) for k, left in under_way]
        requests = [_request(side, dialogues[k], i, k, stream_seed(seed, "reply", str(number[k, i]))) for k, i in asked]
        answered |= zip(asked, speaker.reply(requests), strict=True)
        for k, left in under_way:
            left.pop(0)
            if left and isinstance(speaker, TakesBack):
                speaker.take_back(k)
            else:
                speaker.finish(k)
        under_way = [(k, left) for k, left in under_way if left]
        if on_contexts:
            on_contexts(len(answered), len(drawn))
    return [OneStep(dialogues[k], i, a) for k, i in drawn if isinstance(a := answered[k, i], Message)]


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
