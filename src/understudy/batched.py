"""A function of many at once, asked by coroutines one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batched(Generic[Question, Answer]):
    """What is asked while the function runs is answered together thereafter: nobody waits for a batch to fill.

    Args:
        function: gives an answer to each question, in order; runs in a thread, one call at a time.

    Attributes:
        turn: held while the function runs; take it to touch what the function works on.
    """

    def __init__(self, function: Callable[[Sequence[Question]], Sequence[Answer]]) -> None:
        self._function = function
        self._asked: list[tuple[Question, asyncio.Future[Answer]]] = []
        self.turn = asyncio.Lock()

    async def __call__(self, question: Question) -> Answer:
        """The answer.

        Raises:
            Exception: whatever the function raises, to all who asked together.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked.append((question, answer))
        async with self.turn:
            if not answer.done():  # it may have been answered with those before it
                await self._answer_all()
        return await answer

    async def _answer_all(self) -> None:
        asked, self._asked = self._asked, []
        try:
            answers = await asyncio.to_thread(self._function, [question for question, _ in asked])
        except Exception as error:
            for _, waiting in asked:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), found in zip(asked, answers, strict=True):
            if not waiting.done():
                waiting.set_result(found)
