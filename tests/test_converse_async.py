"""Dialogues held by coroutines are those that `converse` holds; one speaker answers many of them in batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from conftest import ColourFamily, ColourUser
from understudy.batched import Batched
from understudy.converse import Appointment, converse
from understudy.converse_async import SharedSpeaker, hold
from understudy.models.chat_model import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.speaker import Failure, Request
from understudy.types import FailedDialogue, Message, TokenRecord, Trace

FAMILY = ColourFamily()


def appointments(count: int) -> list[Appointment]:
    return [Appointment(k, FAMILY.sample_task(np.random.default_rng(k), f"t{k}"), "p", seed=k) for k in range(count)]


def test_traces_and_failures_are_those_of_converse(tiny_model: ChatModel) -> None:
    def agent() -> ModelSpeaker:
        return ModelSpeaker(tiny_model, "agent", width=4, max_message_tokens=5)

    async def all_at_once() -> list[Trace | FailedDialogue]:
        shared = SharedSpeaker(agent(), width=4), SharedSpeaker(ColourUser([2]), width=4)
        return await asyncio.gather(*(hold(FAMILY, a, *shared) for a in appointments(9)))

    expected = converse(FAMILY, appointments(9), agent(), ColourUser([2]), width=4)
    found = asyncio.run(all_at_once())
    assert found.pop(2) == expected.failures[0]
    assert len(found) == 8
    for trace, other in zip(found, expected.traces, strict=True):
        assert isinstance(trace, Trace)
        assert trace.dialogue == other.dialogue
        assert trace.agent is not None
        assert other.agent is not None
        assert (trace.agent.ids, trace.agent.sampled) == (other.agent.ids, other.agent.sampled)
        # Other neighbours in the batch: another rounding.
        assert trace.agent.logprobs == pytest.approx(other.agent.logprobs, abs=0.05)


def test_a_dialogue_that_was_taken_up_goes_on_from_there() -> None:
    (appointment,) = appointments(1)
    said = (Message("user", "hello"), Message("agent", "take red"))
    appointment = Appointment(0, appointment.task, "p", seed=0, said=said)
    ended = asyncio.run(hold(FAMILY, appointment, SharedSpeaker(Unasked(), width=1), SharedSpeaker(Unasked(), width=1)))
    assert isinstance(ended, Trace)
    assert [m.text for m in ended.dialogue.messages] == ["hello", "take red"]


class Unasked:
    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        raise AssertionError("nobody should be asked")

    def finish(self, key: int) -> TokenRecord | None:
        return None


def test_no_more_dialogues_than_places_are_open_and_a_place_is_used_again() -> None:
    class Counting(ColourUser):
        def __init__(self) -> None:
            super().__init__()
            self.open: set[int] = set()
            self.most = 0

        def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
            self.open |= {r.key for r in requests}
            self.most = max(self.most, len(self.open))
            return super().reply(requests)

        def finish(self, key: int) -> TokenRecord | None:
            self.open.remove(key)
            return None

    class Asking:
        def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
            return [Message("agent", "which colour ?") for _ in requests]

        def finish(self, key: int) -> TokenRecord | None:
            return None

    user = Counting()

    async def all_at_once() -> int:
        shared = SharedSpeaker(Asking(), width=20), SharedSpeaker(user, width=3)
        return len(await asyncio.gather(*(hold(FAMILY, a, *shared) for a in appointments(20))))

    assert asyncio.run(all_at_once()) == 20
    assert user.most == 3
    assert not user.open


def test_what_is_asked_meanwhile_is_answered_together_and_an_error_reaches_all_of_it() -> None:
    sizes: list[int] = []
    started, go_on = threading.Event(), threading.Event()

    def double(numbers: Sequence[int]) -> list[int]:
        sizes.append(len(numbers))
        if len(sizes) == 1:
            started.set()
            go_on.wait()
        if 13 in numbers:
            raise ValueError("unlucky")
        return [2 * number for number in numbers]

    async def ask() -> None:
        batched = Batched(double)
        first = asyncio.create_task(batched(1))
        await asyncio.to_thread(started.wait)
        others = [asyncio.create_task(batched(number)) for number in (2, 3, 4)]
        await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
        assert sizes == [1, 3]
        together = await asyncio.gather(batched(5), batched(13), batched(6), return_exceptions=True)
        assert together[0] == 10  # it was asked first, and did not wait for the others
        assert [type(answer) for answer in together[1:]] == [ValueError, ValueError]
        assert await batched(7) == 14

    asyncio.run(ask())
