"""A mapping in a config: any names with any JSON values, as fixed and hashable as the rest of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, JsonValue
from pydantic_core import CoreSchema, core_schema


class Parameters(Mapping[str, Any]):
    """Values by name, in the order of the names. Each is given out as a copy, so that nothing inside can be changed.

    Args:
        values: what JSON can hold; NaN and infinities are refused.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._text = json.dumps(dict(values or {}), sort_keys=True, allow_nan=False)

    def __getitem__(self, name: str) -> Any:
        return json.loads(self._text)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self._text))

    def __len__(self) -> int:
        return len(json.loads(self._text))

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return repr(dict(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls,
            handler(dict[str, JsonValue]),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )
