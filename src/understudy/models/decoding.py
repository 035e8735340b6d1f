"""Forward passes of one token for each row of a batch, on a GPU replayed as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch

from understudy.models.cache import RaggedCache

Forward = Callable[[RaggedCache, torch.Tensor, torch.Tensor], torch.Tensor]
"""The cache, tokens [B, 1] and positions [B, 1] to logits [B, V]."""


class DecodingSteps:
    """Forward passes of one token for each row of a cache; rows with nothing to say have position -1.

    A GPU writes a token faster than Python can start the thousands of kernels for it. So the second pass over tensors of the
    same shape is captured as a CUDA graph, and each one after it starts with a single call. It is captured anew where the
    cache was widened or replaced.

    A model that cannot be captured, as its code asks for a tensor's values (to choose experts, say), is run as it is.

    Args:
        captures: whether passes are captured, on a GPU.
    """

    def __init__(self, forward: Forward, device: torch.device, *, captures: bool) -> None:
        self.forward, self.device = forward, device
        self.captures = captures and device.type == "cuda"
        self._memory: GraphMemory | None = None
        self.forget()

    def forget(self) -> None:
        """Let go of the cache."""
        self._cache: RaggedCache | None = None
        self._width = 0
        self._captured: CapturedStep | None = None

    def __call__(self, cache: RaggedCache, tokens: np.ndarray, positions: np.ndarray) -> torch.Tensor:
        """Logits [B, V] after the tokens [B, 1]; they hold until the next call."""
        cache.reserve(int(positions.max()) + 1)
        arguments = (torch.as_tensor(tokens, device=self.device), torch.as_tensor(positions, device=self.device))
        if not self.captures:
            return self.forward(cache, *arguments)
        if cache is not self._cache or cache.width != self._width:
            self._cache, self._width, self._captured = cache, cache.width, None
            return self.forward(cache, *arguments)
        if self._captured is None:
            try:
                self._memory = self._memory or GraphMemory(self.device)
                self._captured = CapturedStep(self.forward, cache, arguments, self._memory)
            except RuntimeError:
                self.captures = False
                return self.forward(cache, *arguments)
        return self._captured(*arguments)


class GraphMemory:
    """The memory of graphs of which one lives at a time: a graph that is never replayed keeps it for the next one."""

    def __init__(self, device: torch.device) -> None:
        self.pool = torch.cuda.graph_pool_handle()
        self._keeper = torch.cuda.CUDAGraph()
        self._keeper.capture_begin(self.pool, capture_error_mode="thread_local")
        self._kept = torch.zeros(1, device=device)
        self._keeper.capture_end()


class CapturedStep:
    """A forward pass as a CUDA graph over a cache's tensors, with tokens and positions in tensors of its own.

    Raises:
        RuntimeError: if the model asks for the values of tensors.
    """

    def __init__(
        self, forward: Forward, cache: RaggedCache, arguments: Sequence[torch.Tensor], memory: GraphMemory
    ) -> None:
        self.arguments = [argument.clone() for argument in arguments]
        self.graph = torch.cuda.CUDAGraph()
        # Not torch.cuda.graph, which gives all unused memory back to the driver first, at each capture.
        self.graph.capture_begin(memory.pool, capture_error_mode="thread_local")
        try:
            self.logits = forward(cache, *self.arguments)
        finally:
            self.graph.capture_end()

    def __call__(self, *arguments: torch.Tensor) -> torch.Tensor:
        for mine, given in zip(self.arguments, arguments, strict=True):
            mine.copy_(given)
        self.graph.replay()
        return self.logits


def decoding_stream(device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """A context for all work of one sampler: on a GPU a stream of its own, as none is captured on the default stream."""
    if device.type != "cuda":
        return nullcontext
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    @contextmanager
    def on_stream() -> Iterator[None]:
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            yield
        torch.cuda.current_stream(device).wait_stream(stream)

    return on_stream
