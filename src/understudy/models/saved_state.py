"""Where a training stands, written whole, so that one that was killed goes on from there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from understudy.runs import disk_errors, sync


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values; a kill in the middle leaves the state that was there before.

    Raises:
        RunError: if the disk is full or the place cannot be written.
    """
    temporary = path.with_suffix(".tmp")
    with disk_errors(path):
        torch.save(dict(state), temporary)
        sync(temporary)
        os.replace(temporary, path)


def load_state(path: Path) -> dict[str, Any] | None:
    """The state, its tensors on the CPU; None where none was saved."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
