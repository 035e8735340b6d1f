"""An event loop in a thread of its own, so that what is awaited can be asked for from threads, and cut off in the middle."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def await_within(seconds: float, asked: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, which is cancelled where it takes longer; may be called from any thread but the loop's own.

    All calls share one loop: what a coroutine leaves open (connections) serves those after it.

    Raises:
        TimeoutError: if it takes longer.
        Exception: whatever the coroutine raises.
    """
    return asyncio.run_coroutine_threadsafe(asyncio.wait_for(asked, seconds), _loop()).result()


@cache
def _started() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    # It ends with the process: nobody waits for what no caller awaits any more.
    threading.Thread(target=loop.run_forever, name="understudy-endpoint", daemon=True).start()
    return loop


_starting = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    with _starting:  # two threads that ask first must not start two
        return _started()
