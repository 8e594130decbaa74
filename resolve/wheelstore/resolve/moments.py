"""Moments as users write them: `--exclude-newer 2024-05-01`, `30 days`, `P2W`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d{2}:?\d{2})?")
_ISO = re.compile(r"P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE)
_UNITS = {
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), 7 * 86_400),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
}
_PART = re.compile(r"(\d+)\s*([a-z]+)(?:\s*,\s*|\s+|(?=\d)|$)", re.IGNORECASE)
_UNEVEN = re.compile(r"\d\s*(?:mo|mos|months?|y|yrs?|years?)\b|P(?:\d+Y|[^T]*\d+M)", re.IGNORECASE)
_EXPECTED = "expected a date (2024-05-01), a time (2024-05-01T12:00:00Z) or a duration (30 days, 2w, P30D)"


class BadMoment(ValueError):
    """A text that is neither a date, nor a time, nor a duration."""


def parse_moment(text: str, *, now: float) -> float:
    """Return the seconds since the epoch that a text means.

    A date is the end of that day and a time without an offset is UTC's, so that a lock does not depend on where
    it is made (uv takes both for local); a duration reaches back from `now`. Months and years have no
    one length and are refused, as by uv.

    Raises:
        BadMoment: the text says no such thing.
    """
    text = text.strip()
    try:
        if _DATE.fullmatch(text):
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
            return (day + timedelta(days=1)).timestamp()
        if _TIME.fullmatch(text):
            time = datetime.fromisoformat(text.upper())
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadMoment(f"{text!r} is no moment: {error}") from None
    if _UNEVEN.search(text):
        raise BadMoment(f"{text!r} is no moment: months and years differ in length, say it in days")
    seconds = _iso_duration(text)
    moment = now - (_friendly_duration(text) if seconds is None else seconds)
    if moment < 0:
        raise BadMoment(f"{text!r} is no moment: it reaches back to before 1970, when nothing had been published")
    return moment


def upload_moment(text: str) -> datetime | None:
    """When an index says that a file was uploaded, in UTC, also if it does not say so (PEP 700); None for no time."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _iso_duration(text: str) -> float | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    lengths = (7 * 86_400, 86_400, 3_600, 60, 1)
    return sum(int(number or 0) * length for number, length in zip(match.groups(), lengths, strict=True))


def _friendly_duration(text: str) -> float:
    """Read `1 week 2 days`, `30d`, `12 hours ago`."""
    left = re.sub(r"\s+ago$", "", text, flags=re.IGNORECASE)
    at, seconds = 0, 0
    while at < len(left):
        match = _PART.match(left, at)
        if match is None or match[2].lower() not in _UNITS:
            raise BadMoment(f"{text!r} is no moment: {_EXPECTED}")
        at, seconds = match.end(), seconds + int(match[1]) * _UNITS[match[2].lower()]
    if not at:
        raise BadMoment(f"{text!r} is no moment: {_EXPECTED}")
    return seconds
