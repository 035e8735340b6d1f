"""Several models of people as one speaker: whom an agent meets is one of them, drawn anew for each dialogue."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.runs import stream
from understudy.speaker import Failure, Request, Speaker
from understudy.types import Message, TokenRecord


class EnsembleSpeaker:
    """Each dialogue is held by one member from beginning to end, drawn uniformly by the dialogue's seed.

    So a figure over many dialogues is a mean over the members, and an agent that exploits what one of them gets wrong gains
    with that one alone. Its likelihood is that of `understudy.realism.perplexity.mixture`.

    Args:
        members: speakers of one side, at least one.
    """

    def __init__(self, members: Sequence[Speaker]) -> None:
        self.members = tuple(members)
        self._met: dict[int, Speaker] = {}

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        chosen = [self._member(request) for request in requests]
        answers: dict[int, Message | Failure] = {}
        for member in self.members:
            places = [place for place, found in enumerate(chosen) if found is member]
            if places:
                answers |= zip(places, member.reply([requests[place] for place in places]), strict=True)
        return [answers[place] for place in range(len(requests))]

    def finish(self, key: int) -> TokenRecord | None:
        member = self._met.pop(key, None)
        return None if member is None else member.finish(key)

    def _member(self, request: Request) -> Speaker:
        if request.key not in self._met:
            drawn = int(stream(request.seed, request.role, "member").integers(len(self.members)))
            self._met[request.key] = self.members[drawn]
        return self._met[request.key]
