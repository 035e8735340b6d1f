"""The parts of the logs by the shares of the config; a share that leaves nobody is told by its key."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.config import LogsConfig
from understudy.errors import ConfigError
from understudy.logs.split import split_by_person, split_sizes
from understudy.types import Dialogue


def split_logs(dialogues: Sequence[Dialogue], logs: LogsConfig, seed: int) -> dict[str, list[Dialogue]]:
    """See `split_by_person`.

    Raises:
        ConfigError: if a part has nobody.
    """
    refuse_empty_parts(logs, len({d.person for d in dialogues}))
    return split_by_person(dialogues, logs.shares, seed)


def refuse_empty_parts(logs: LogsConfig, people: int) -> None:
    """Refuse shares that leave a part without anybody of so many people.

    Raises:
        ConfigError: naming the share.
    """
    for part, size in split_sizes(logs.shares, people).items():
        if not size:
            key = f"logs.{part}_share"
            raise ConfigError(
                f"{key} is {logs.shares[part]:g}, which leaves the part {part!r} without anybody of {people} people",
                where=key,
                fix=f"raise {key}, or {'logs.people' if logs.path is None else 'give dialogues of more people'}",
            )
