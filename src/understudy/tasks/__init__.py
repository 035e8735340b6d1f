"""Task families by name. Each family is made on first use, so that `understudy --help` stays fast."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from understudy.errors import ConfigError

if TYPE_CHECKING:
    from understudy.tasks.base import TaskFamily

FAMILIES: dict[str, str] = {
    "elicit": "understudy.tasks.elicit:Elicit",
    "edit": "understudy.tasks.edit:Edit",
    "haggle": "understudy.tasks.haggle:Haggle",
    "negotiate": "understudy.tasks.negotiate:Negotiate",
    "maths": "understudy.tasks.maths:Maths",
    "document": "understudy.tasks.document:Document",
}
"""Name on the command line -> `module:Class`."""

KNOWN_USERS = ("elicit", "edit", "haggle")
"""Families whose real users are a programme, and which need no folder."""

# What `TaskFamily` asks for; `sample_task` and the like could be inherited from anywhere, so names are all we check.
_NEEDED = (
    *("name", "summary", "reward_name", "reward_max", "max_agent_turns"),
    *("sample_task", "ending", "outcome", "shown", "final_act", "final_act_reward", "coherence"),
)


def load_family(name: str, data: Path | None = None) -> TaskFamily:
    """A task family by its name in `FAMILIES`, or by `package.module:Class` for one's own.

    A class is called without arguments; one with a classmethod `from_folder(path)` is made by that from `data`.

    Args:
        data: folder of dialogues or tasks, for families that need one; not looked at by the others.

    Raises:
        ConfigError: if the name is unknown, the class cannot be imported or made, or lacks a part of `TaskFamily`; or
            if the family needs a folder and `data` is None.
        LogError: if the folder does not hold what the family needs.
    """
    if name not in FAMILIES and ":" not in name:
        raise ConfigError(
            f"unknown task family {name!r}",
            fix=f"use one of {', '.join(FAMILIES)}, or package.module:Class for your own",
        )
    return _make(name, data)


def is_known(name: str) -> bool:
    """Whether the family's real users are a programme (`KnownUserFamily`).

    Raises:
        ConfigError: as `load_family`, for a class of one's own.
    """
    if name not in FAMILIES and ":" not in name:
        return False
    family = _class(FAMILIES.get(name, name))
    return hasattr(family, "population") or (
        not hasattr(family, "from_folder") and hasattr(_make(name, None), "population")
    )


@lru_cache(maxsize=32)
def _make(name: str, data: Path | None) -> TaskFamily:
    family = _class(FAMILIES.get(name, name))
    from_folder = getattr(family, "from_folder", None)
    if from_folder is not None and data is None:
        raise ConfigError(f"task family {name!r} needs a folder of dialogues or tasks", fix="give it with --data DIR")
    try:
        made = family() if from_folder is None else from_folder(data)
    except TypeError as error:
        raise ConfigError(
            f"task family {name!r} cannot be made: {error}",
            fix="give the class no arguments without a default, or a classmethod from_folder(path)",
        ) from error
    lacking = [part for part in _NEEDED if not hasattr(made, part)]
    if lacking:
        raise ConfigError(
            f"task family {name!r} lacks {', '.join(lacking)}",
            fix="see understudy.tasks.base.TaskFamily for what it needs",
        )
    return cast("TaskFamily", made)


def _class(path: str) -> type:
    module, _, attribute = path.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"task family {path!r} cannot be imported: {error}",
            fix="write package.module:Class, and check that the package is installed or on PYTHONPATH",
        ) from error
    if not isinstance(found, type):
        raise ConfigError(f"task family {path!r} is {type(found).__name__}, not a class", fix="name the class itself")
    return found
