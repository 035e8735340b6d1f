"""What every section of a config shares: how values are checked, and how a broken rule is told.

The docstring under a field is what an error message quotes: it gives the meaning, the unit and the range.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

HUB_PREFIX = "hub:"
"""Before the name of a data set of Hugging Face, where a file or folder could be given as well."""

Share = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
Temperature = Annotated[float, Field(gt=0, le=10)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
LogSize = Annotated[int, Field(ge=10, le=100_000)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class StageConfig(BaseModel):
    """What all sections share: no unknown keys, no changes once made, no NaN, no `true` where a number belongs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _plain_values(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        if field.annotation is bool:
            return value
        if isinstance(value, bool) or (isinstance(value, list | tuple) and any(isinstance(v, bool) for v in value)):
            raise PydanticCustomError("bool", "must be a number or text, not true or false")
        if get_origin(field.annotation) is tuple and value is not None and not isinstance(value, list | tuple | dict):
            # One value, or `a,b` as it is typed on a command line.
            return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else [value]
        return value


def on_hub(data: Path) -> bool:
    """Whether what is given as a path is the name of a data set of Hugging Face (`hub:owner/name`)."""
    return str(data).startswith(HUB_PREFIX)


def hub_name(data: Path | str) -> tuple[str, str | None]:
    """The name and the config (None if there is none) of `hub:owner/name` or `hub:owner/name:config`."""
    name, _, config = str(data).removeprefix(HUB_PREFIX).partition(":")
    return name, config or None


def broken(key: str, what: str, fix: str) -> PydanticCustomError:
    """A broken rule between keys; `key` (dotted, from this section) says where to point."""
    return PydanticCustomError("rule", "{what}", {"key": key, "what": what, "fix": fix})
