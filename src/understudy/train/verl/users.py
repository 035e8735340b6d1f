"""Users in a verl run: a few Ray actors, each with one speaker that many dialogues share; never one per dialogue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray

from understudy.converse_async import SharedSpeaker
from understudy.speaker import Failure, Request
from understudy.train.verl.spec import LoopSpec
from understudy.types import Message, TokenRecord


class UserActor:
    """One replica of the user, in a process of its own.

    Args:
        spec: file of the `LoopSpec`.
    """

    def __init__(self, spec: str) -> None:
        found = LoopSpec.read(Path(spec))
        assert found.user is not None  # else there is no pool
        speaker = found.user.speaker(found.tasks().family, found.config)
        self._shared = SharedSpeaker(speaker, width=found.config.sampling.width)

    async def reply(self, request: Request) -> Message | Failure:
        return await self._shared.reply(request)

    async def finish(self, key: int) -> None:
        await self._shared.finish(key)  # its tokens stay here: nobody trains on them


class UserPool:
    """The replicas of the user as one speaker: a dialogue stays with its replica, which holds its keys and values.

    Whoever asks first starts them; all others find them by name.

    Args:
        spec: file of the `LoopSpec`; names the replicas, so that several runs may share a cluster.
    """

    def __init__(self, spec: Path) -> None:
        found = LoopSpec.read(spec)
        pool = found.config.verl
        actor = ray.remote(UserActor)
        self._replicas: list[Any] = [
            actor.options(
                name=f"understudy-user-{replica}-{spec}",
                get_if_exists=True,
                num_gpus=pool.user_gpus,
                # Every dialogue of a step may wait for a place at once, and one that has a place must still be heard.
                max_concurrency=max(1000, 2 * found.rows),
            ).remote(str(spec))
            for replica in range(pool.user_replicas)
        ]

    async def reply(self, request: Request) -> Message | Failure:
        answer: Message | Failure = await self._of(request.key).reply.remote(request)
        return answer

    async def finish(self, key: int) -> TokenRecord | None:
        await self._of(key).finish.remote(key)
        return None

    def _of(self, key: int) -> Any:
        return self._replicas[key % len(self._replicas)]
