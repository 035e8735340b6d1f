"""Chat templates that write today's date: to them it is always the same day, so that tokens do not depend on when we run."""

from __future__ import annotations

from datetime import datetime

_DAY = datetime(2024, 7, 26)
"""What templates of Llama 3 write where they are not told the date."""
DATE_STRING = _DAY.strftime("%d %b %Y")
"""The day as the variable `date_string` of such templates."""
_CODES = ("%Y", "%y", "%m", "%B", "%b", "%d", "%A", "%a", "%j", "%H", "%I", "%M", "%S", "%p")
# A macro shadows the function of that name; what is passed beside the messages does not in every version of transformers.
# The newline after it is the macro's own, as templates are read with `trim_blocks`.
_CLOCK = (
    "{% macro strftime_now(format) %}{{ format"
    + "".join(f" | replace('{code}', '{_DAY.strftime(code)}')" for code in _CODES)
    + " }}{% endmacro %}\n"
)


def with_fixed_date(template: str) -> str:
    """A template whose `strftime_now` gives the day of `DATE_STRING`, whenever it is rendered."""
    return _CLOCK + template
