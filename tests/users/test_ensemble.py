"""An ensemble of users: one member per dialogue, and the likelihood of such a mixture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from understudy.realism.perplexity import mixture
from understudy.speaker import Failure, Request
from understudy.types import Message, TokenRecord
from understudy.users.ensemble import EnsembleSpeaker


@dataclass
class Named:
    """Says its name and how many requests it was given at once."""

    name: str
    finished: list[int] = field(default_factory=list)

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [Message("user", f"{self.name} {request.key}") for request in requests]

    def finish(self, key: int) -> TokenRecord | None:
        self.finished.append(key)
        return None


def requests(keys: Sequence[int], said: int = 0) -> list[Request]:
    before = tuple(Message("agent", "yes") for _ in range(said))
    return [Request(key, "user", "", before, seed=key) for key in keys]


def speaks(answers: Sequence[Message | Failure]) -> list[str]:
    return [answer.text.split()[0] for answer in answers if isinstance(answer, Message)]


def test_a_dialogue_keeps_its_member_and_answers_keep_their_order() -> None:
    members = [Named("ann"), Named("bob"), Named("cid")]
    ensemble = EnsembleSpeaker(members)
    first = ensemble.reply(requests(range(300)))
    assert [answer.text.split()[1] for answer in first if isinstance(answer, Message)] == [str(k) for k in range(300)]
    shares = Counter(speaks(first))
    assert all(75 < shares[member.name] < 125 for member in members)
    later = ensemble.reply(requests(range(299, -1, -1), said=2))
    assert speaks(later) == speaks(first)[::-1]
    for key in range(300):
        ensemble.finish(key)
    assert sorted(key for member in members for key in member.finished) == list(range(300))
    # Who holds a dialogue is a function of its seed, not of what was asked before.
    assert speaks(EnsembleSpeaker(members).reply(requests(range(150, 300)))) == speaks(first)[150:]


def test_the_likelihood_of_a_mixture_learns_who_is_speaking() -> None:
    sure, other = [math.log(0.8), math.log(0.8)], [math.log(0.2), math.log(0.1)]
    first, second = mixture([sure, other])
    assert math.exp(first) == pytest.approx(0.5)
    # By Bayes the first member spoke with .8, so that its own prediction weighs .8.
    assert math.exp(second) == pytest.approx(0.8 * 0.8 + 0.2 * 0.1)
    assert mixture([sure]) == pytest.approx(sure)
