"""Chat templates of the package: plain, append-only forms of formats whose own templates rewrite history."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from understudy.errors import ModelError


def shipped_templates() -> dict[str, str]:
    """The templates by name, in order."""
    folder = resources.files("understudy.models") / "templates"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".jinja")), key=lambda file: file.name)
    return {file.name.removesuffix(".jinja"): file.read_text("utf-8").removesuffix("\n") for file in files}


def template_text(name_or_file: str) -> str:
    """A chat template of the package (`chatml`, `mistral`, ..), or one in a Jinja file.

    Raises:
        ModelError: if it is neither.
    """
    shipped = shipped_templates()
    if name_or_file in shipped:
        return shipped[name_or_file]
    try:
        return Path(name_or_file).read_text("utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"is no chat template: {error}",
            where=name_or_file,
            fix=f"use {', '.join(shipped)}, or the path of a Jinja file",
        ) from None
