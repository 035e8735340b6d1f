"""Named random streams: what is drawn depends on the seed and the names, never on the order of calls."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def stream_seed(seed: int, *names: str | int) -> int:
    """A seed in [0, 2**63) for this seed and these names; the same in every process and version of Python."""
    # JSON keeps ("a", "b") apart from ("ab",), and 1 from "1".
    text = json.dumps([int(seed), *(name if isinstance(name, str) else int(name) for name in names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A fresh generator for this seed and these names, independent of every other."""
    return np.random.default_rng(stream_seed(seed, *names))
