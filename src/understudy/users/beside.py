"""What alignment has left in the folder of a user's model, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from understudy.errors import ModelError

T = TypeVar("T")


def read_beside(path: Path, make: Callable[[Any], T], *, what: str, fix: str) -> T | None:
    """What a file holds, made from its JSON; None if it is not there.

    Raises:
        ModelError: if the file is there but `make` finds something else in it.
    """
    try:
        return make(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ModelError(f"is not {what}: {error}", where=str(path), fix=fix) from error
