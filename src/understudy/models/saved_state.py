"""Where a training stands, written whole, so that one that was killed goes on from there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from understudy.runs import disk_errors


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values; a kill in the middle leaves the state that was there before.

    Raises:
        RunError: if the disk is full or the place cannot be written.
    """
    temporary = path.with_suffix(".tmp")
    with disk_errors(path):
        torch.save(dict(state), temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)


def load_state(path: Path, device: torch.device) -> dict[str, Any] | None:
    """The state with its tensors on the device; None where none was saved."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state
