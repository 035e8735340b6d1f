"""Finds personal data in text: e-mail addresses, phone and card numbers, addresses of machines, keys, listed names.

Phone numbers are found by `phonenumbers`, which knows each country's numbering plan. The other kinds have a fixed shape,
and a library that finds more (free names, postal addresses) needs a language model that must be downloaded first.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import phonenumbers

from understudy.errors import LogError


class Span(NamedTuple):
    """A piece of personal data: characters `start` to `stop` of a text, and its kind (`EMAIL`, `PHONE`, ...)."""

    start: int
    stop: int
    kind: str


Finder = Callable[[str], Iterator[Span]]

_LATIN = "A-Za-z0-9À-ÖØ-öø-ɏ"  # scripts without blanks run into an address that stands among their words
_EMAIL = re.compile(
    rf"[{_LATIN}_](?:[{_LATIN}_.!#$%&'*+/=?^`{{|}}~-]{{0,62}}[{_LATIN}_+-])?"
    rf"@(?!\dx\.)(?:[{_LATIN}](?:[{_LATIN}-]{{0,61}}[{_LATIN}])?\.)+[A-Za-z]{{2,24}}(?![{_LATIN}_@])"
)
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_IPV4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])")
_MAC = re.compile(
    r"(?<![\w:.-])(?:[0-9a-fA-F]{2}(?:(?::[0-9a-fA-F]{2}){5}|(?:-[0-9a-fA-F]{2}){5})"
    r"|[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4}){2})(?![\w:-])"
)
_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[\s\S]*?-----END (?:[A-Z]+ )*PRIVATE KEY-----"
    r"|(?<![\w-])(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}"  # Amazon
    r"|gh[pousr]_\w{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}"  # GitHub, GitLab
    r"|sk-(?=[\w-]*\d)[\w-]{20,}|(?:sk|pk|rk)_(?:live|test)_\w{16,}"  # OpenAI, Anthropic; Stripe
    r"|xox[abeprs]-[\w-]{10,}"  # Slack
    r"|AIza[\w-]{35}|hf_\w{30,}|npm_\w{30,}"  # Google, Hugging Face, npm
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"  # JSON web tokens
    r")(?![\w-])"
)
_SECRET = re.compile(
    r"(?:secret|token|passwo?r?d|api[_-]?key|access[_-]?key)[\w-]*[\"']?\s*[:=]\s*[\"']?"
    r"(?P<value>(?=[^\s\"',;]*\d)(?=[^\s\"',;]*[A-Za-z])[^\s\"',;]{16,})",
    re.IGNORECASE,
)
"""What is called a secret where it is assigned."""
_TELEPHONE = re.compile(
    r"\b(?:call|phone|tele?(?:phone)?|mobile|cell|dial|voice ?mail|whats ?app|text me|sms)", re.IGNORECASE
)
_VERSION = re.compile(r"(?:\b(?:version|release|build|firmware|chrome|v)\W{0,2}|\bv)$", re.IGNORECASE)


def finders(names: Sequence[str] = (), region: str = "US") -> list[Finder]:
    """All finders, the surest first: where two find overlapping spans the earlier one counts.

    Args:
        names: persons' names to find, in any case and with any apostrophe, as whole words.
        region: country (two letters) whose national way of writing phone numbers is known; international numbers are
            found wherever they are from.

    Raises:
        LogError: if there is no such country.
    """
    region = region.upper()
    if region not in phonenumbers.SUPPORTED_REGIONS:
        near = {"UK": "GB"}.get(region, "US or DE")
        raise LogError(
            f"unknown country {region!r}", where="--region", fix=f"use two letters of ISO 3166, such as {near}"
        )
    found: list[Finder] = [
        _by_shape("KEY", _KEY),
        _secrets,
        _emails,
        _by_shape("MAC", _MAC),
        _cards,
        _machines,
        lambda text: _phones(text, region),
    ]
    if names:
        found.append(_by_shape("NAME", _names_pattern(names)))
    return found


def find(text: str, by: Sequence[Finder]) -> list[Span]:
    """What the finders find, in order, without overlaps."""
    taken: list[Span] = []
    for finder in by:
        for span in finder(text):
            if all(span.stop <= other.start or other.stop <= span.start for other in taken):
                taken.append(span)
    return sorted(taken)


def _by_shape(kind: str, pattern: re.Pattern[str]) -> Finder:
    return lambda text: (Span(*match.span(), kind) for match in pattern.finditer(text))


def _emails(text: str) -> Iterator[Span]:
    return _by_shape("EMAIL", _EMAIL)(text) if "@" in text else iter(())


def _secrets(text: str) -> Iterator[Span]:
    return (Span(*match.span("value"), "KEY") for match in _SECRET.finditer(text))


def _cards(text: str) -> Iterator[Span]:
    """13 to 19 digits, perhaps in blocks, that pass the check of their last digit (Luhn)."""
    for match in _CARD.finditer(text):
        digits = [int(c) for c in match[0] if c.isdigit()]
        doubled = (sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(reversed(digits)))
        if digits[0] in (2, 3, 4, 5, 6) and sum(doubled) % 10 == 0:
            yield Span(*match.span(), "CARD")


def _machines(text: str) -> Iterator[Span]:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            start, stop = match.span()
            if _VERSION.search(text[max(0, start - 12) : start]):
                continue
            try:
                address = ipaddress.ip_address(match[0])
            except ValueError:
                continue
            # `::2` is a slice in code more often than a machine.
            if address.version == 4 or re.search(r"[0-9a-fA-F]{3}", match[0]):
                yield Span(start, stop, "IP")


def _phones(text: str, region: str) -> Iterator[Span]:
    for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID):
        before = text[max(0, match.start - 40) : match.start]
        # Ten digits without any mark are an order's number as often as a telephone's.
        unmarked = match.raw_string.isdigit() and not _TELEPHONE.search(before + text[match.end : match.end + 40])
        if not (unmarked or _VERSION.search(before) or re.search(r"[^\W\d_][-/#]$", before)):
            yield Span(match.start, match.end, "PHONE")


def _names_pattern(names: Sequence[str]) -> re.Pattern[str]:
    ordered = sorted({" ".join(name.split()) for name in names if name.strip()}, key=len, reverse=True)
    variants = "|".join(_name_pattern(name) for name in ordered)
    return re.compile(rf"(?<!\w)(?:{variants})(?!\w)", re.IGNORECASE)


def _name_pattern(name: str) -> str:
    composed = unicodedata.normalize("NFC", name)
    return re.sub(r"['’]", "['’]", re.escape(composed).replace(r"\ ", r"\s+"))
