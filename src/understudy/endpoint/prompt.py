"""Prompts as Jinja files: the package's own, or a file that a config names."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from understudy.errors import ConfigError


def load_prompt(given: Path | None, own: Traversable, **example: Any) -> Any:
    """The template, which renders for the example.

    Args:
        given: a Jinja file; None takes `own`.
        example: a value for each variable that the template may use.

    Raises:
        ConfigError: if the file cannot be read, is no template, or uses other variables.
    """
    from jinja2 import Environment, StrictUndefined, TemplateError

    try:
        text = Path(given).read_text("utf-8") if given else own.read_text("utf-8")
        template = Environment(undefined=StrictUndefined).from_string(text)
        template.render(**example)
    except (OSError, UnicodeDecodeError, TemplateError) as error:
        raise ConfigError(
            f"is no prompt: {error}",
            where=str(given or own),
            fix=f"give a Jinja file; it may use {', '.join(example)}",
        ) from error
    return template
