"""Forward passes of one token for each row of a batch, on a GPU replayed as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

import numpy as np
import torch

from understudy.models.cache import RaggedCache

Forward = Callable[..., torch.Tensor]
"""A cache, tokens [B, 1] and positions [B, 1] to logits [B, V]."""


class DecodingSteps:
    """Forward passes of one token for each row of a cache; rows with nothing to say have position -1.

    A GPU writes a token faster than Python can start the thousands of kernels for it. So the second pass over tensors of the
    same shape is captured as a CUDA graph, and each one after it starts with a single call. It is captured anew where the
    cache was widened or replaced.

    A model that cannot be captured, as its code asks for a tensor's values (to choose experts, say), is run as it is. That is
    asked of its first pass: a capture that failed would leave torch's allocator as if it still went on.

    Args:
        captures: whether passes are captured, on a GPU.
    """

    def __init__(self, forward: Forward, device: torch.device, *, captures: bool) -> None:
        self.forward, self.device = forward, device
        self.captures = captures and device.type == "cuda"
        self._tried = False
        self._memory: GraphMemory | None = None
        self._held: RaggedCache | None = None
        self._width = 0
        self._captured: CapturedStep | None = None

    def forget(self) -> None:
        """Let go of the cache."""
        self._held = self._captured = None

    def __call__(self, held: RaggedCache, tokens: np.ndarray, positions: np.ndarray) -> torch.Tensor:
        """Logits [B, V] after the tokens [B, 1]; they hold until the next call."""
        held.reserve(int(positions.max()) + 1)
        arguments = (torch.as_tensor(tokens, device=self.device), torch.as_tensor(positions, device=self.device))
        if not self.captures:
            return self.forward(held, *arguments)
        if held is not self._held or held.width != self._width:
            self._held, self._width, self._captured = held, held.width, None
            return self.forward(held, *arguments) if self._tried else self._first_pass(held, *arguments)
        if self._captured is None:
            self._memory = self._memory or GraphMemory(self.device)
            self._captured = CapturedStep(self.forward, held, arguments, self._memory)
        return self._captured(*arguments)

    def _first_pass(self, held: RaggedCache, *arguments: torch.Tensor) -> torch.Tensor:
        self._tried = True
        before = held.states.select(torch.arange(held.rows))
        try:
            with host_may_not_wait():
                return self.forward(held, *arguments)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:
            self.captures = False
            held.states.put_back(before)  # layers before the one that failed have read the token
            return self.forward(held, *arguments)


@contextmanager
def host_may_not_wait() -> Iterator[None]:
    """Within, whatever torch notices to make the host wait for the GPU raises a RuntimeError."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


class GraphMemory:
    """The memory of graphs of which one lives at a time: a graph that is never replayed keeps it for the next one."""

    def __init__(self, device: torch.device) -> None:
        torch.cuda.empty_cache()  # while a graph is captured, memory that nothing uses cannot be had again
        self.pool = torch.cuda.graph_pool_handle()
        self._keeper = torch.cuda.CUDAGraph()
        self._keeper.capture_begin(self.pool, capture_error_mode="thread_local")
        self._kept = torch.zeros(1, device=device)
        self._keeper.capture_end()


class CapturedStep:
    """A forward pass as a CUDA graph over a cache's tensors, with tokens and positions in tensors of its own."""

    def __init__(
        self, forward: Forward, held: RaggedCache, arguments: Sequence[torch.Tensor], memory: GraphMemory
    ) -> None:
        self.arguments = [argument.clone() for argument in arguments]
        self.graph = torch.cuda.CUDAGraph()
        # Not torch.cuda.graph, which gives all unused memory back to the driver first, at each capture.
        self.graph.capture_begin(memory.pool, capture_error_mode="thread_local")
        try:
            self.logits = forward(held, *self.arguments)
        finally:
            self.graph.capture_end()

    def __call__(self, *arguments: torch.Tensor) -> torch.Tensor:
        for mine, given in zip(self.arguments, arguments, strict=True):
            mine.copy_(given)
        self.graph.replay()
        return self.logits


def stream_context(device: torch.device) -> AbstractContextManager[None]:
    """For all work of samplers: on a GPU a stream that they share, as nothing can be captured on the default one."""
    return _on_stream(_stream(device)) if device.type == "cuda" else nullcontext()


@contextmanager
def _on_stream(stream: torch.cuda.Stream) -> Iterator[None]:
    stream.wait_stream(torch.cuda.current_stream(stream.device))
    try:
        with torch.cuda.stream(stream):
            yield
    finally:
        torch.cuda.current_stream(stream.device).wait_stream(stream)


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for all: each has a workspace of its own for products, and keeps its unused memory to itself."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
