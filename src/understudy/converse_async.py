"""Dialogues held one by one by coroutines, for engines that bring a loop of their own; as `converse` in all else."""

from __future__ import annotations

import asyncio

from understudy.batched import Batched
from understudy.converse import Appointment, Held
from understudy.speaker import AsyncSpeaker, Failure, Request, Speaker
from understudy.tasks.base import TaskFamily
from understudy.types import Dialogue, FailedDialogue, Message, TokenRecord, Trace


async def hold(
    family: TaskFamily, appointment: Appointment, agent: AsyncSpeaker, user: AsyncSpeaker
) -> Trace | FailedDialogue:
    """Hold one dialogue."""
    held = Held(family, appointment)
    ended: Dialogue | FailedDialogue | None = held.take_up()
    try:
        while ended is None:
            speaker = user if held.turn == "user" else agent
            ended = held.answer(await speaker.reply(held.request()))
    finally:
        records = await agent.finish(appointment.key), await user.finish(appointment.key)
    return ended if isinstance(ended, FailedDialogue) else Trace(appointment.key, ended, *records)


class SharedSpeaker:
    """One speaker for the dialogues of many coroutines, which it answers in batches.

    Args:
        speaker: is called from one thread at a time.
        width: dialogues that it takes at once; further ones wait with their first message until a place is free.
    """

    def __init__(self, speaker: Speaker, *, width: int) -> None:
        self._speaker = speaker
        self._reply = Batched(speaker.reply)
        self._places = asyncio.Semaphore(width)
        self._taken: set[int] = set()

    async def reply(self, request: Request) -> Message | Failure:
        if request.key not in self._taken:
            await self._places.acquire()
            self._taken.add(request.key)
        return await self._reply(request)

    async def finish(self, key: int) -> TokenRecord | None:
        if key not in self._taken:
            return None
        async with self._reply.turn:
            record = self._speaker.finish(key)
        self._taken.remove(key)
        self._places.release()
        return record
