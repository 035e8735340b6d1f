"""Errors that a user can act on: what was wrong, where, and what to do.

The command line prints these without a traceback and exits with code 2.
"""


class UnderstudyError(Exception):
    """A mistake in what was given to us (config, log, folder, model), never a bug of ours.

    Args:
        what: what was wrong, with the offending value.
        where: the file and line, the config key or the folder.
        fix: what to do about it.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        lines = [f"{where}: {what}" if where else what]
        if fix:
            lines.append(f"  -> {fix}")
        super().__init__("\n".join(lines))


class ConfigError(UnderstudyError):
    """A config key is unknown, or its value has the wrong type or range."""


class LogError(UnderstudyError):
    """A log cannot be read, is truncated, lacks a side, or leaves a split empty."""


class RunError(UnderstudyError):
    """A run folder belongs to another config, is damaged, or cannot be written."""


class ModelError(UnderstudyError):
    """A model folder cannot be loaded, or its chat template does not fit the conversation."""
