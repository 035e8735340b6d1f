"""Which device and number format the machine at hand is fastest with."""

from __future__ import annotations

import time
from functools import cache

import torch


def default_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def sampling_dtype() -> torch.dtype:
    """bf16 where the machine is faster with it, otherwise fp32."""
    return torch.bfloat16 if fast_bf16() else torch.float32


def training_autocast() -> torch.autocast:
    """Mixed precision for training: fp32 weights, bf16 matrix products where they are faster."""
    return torch.autocast(default_device().type, torch.bfloat16, enabled=fast_bf16())


@cache
def fast_bf16() -> bool:
    """Whether matrix products are faster in bf16 than in fp32.

    A CPU is asked once per process, at the sizes of a small model: some compute bf16 at twice the speed of fp32, some at
    half of it, whatever their instruction sets say. The two are so far apart that noise does not change the answer.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    if not torch.cpu._is_avx512_bf16_supported():
        return False
    return _product_seconds(torch.bfloat16) < 0.8 * _product_seconds(torch.float32)


def _product_seconds(dtype: torch.dtype, repeats: int = 9) -> float:
    a, b = torch.ones(1024, 128, dtype=dtype), torch.ones(128, 352, dtype=dtype)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - began)
    return min(seconds)
