"""How long an answer may be used without asking again (RFC 9111, for a private cache)."""

from __future__ import annotations

from collections.abc import Mapping

LONGEST_ABSENCE = 600.0
"""Seconds for which "no such project" is believed at most, so that a first upload is soon seen."""


def fresh_until(headers: Mapping[str, str], *, now: float) -> float:
    """Until when, in seconds since the epoch, the answer is fresh; `now` if it must be asked for again.

    Header names are in lower case. Cache-Control's ``max-age`` counts, less ``Age``; without it, Expires
    against Date. ``no-cache`` and ``no-store`` leave no time: a digest is kept all the same, for asking
    with its ETag and for working offline.
    """
    directives = _directives(headers.get("cache-control", ""))
    if "no-cache" in directives or "no-store" in directives:
        return now
    if "max-age" in directives:
        return now + max(0.0, _seconds(directives["max-age"]) - _seconds(headers.get("age", "0")))
    if "expires" in headers:
        return now + max(0.0, _time(headers["expires"], now) - _time(headers.get("date", ""), now))
    return now


def _directives(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.lower().split(","))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _time(text: str, default: float) -> float:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return default
