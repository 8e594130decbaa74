"""Dates, times and durations; what has no one meaning is refused."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from wheelstore.resolve.moments import BadMoment, parse_moment, upload_moment

NOW = datetime(2024, 5, 31, 12, tzinfo=UTC).timestamp()
EXPECTED = "expected a date (2024-05-01), a time (2024-05-01T12:00:00Z) or a duration (30 days, 2w, P30D)"
UNEVEN = "months and years differ in length, say it in days"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2024-05-01", "2024-05-02T00:00:00+00:00"),
        ("2024-12-31", "2025-01-01T00:00:00+00:00"),
        (" 2024-05-01 ", "2024-05-02T00:00:00+00:00"),
        ("2024-05-01T00:00:00Z", "2024-05-01T00:00:00+00:00"),
        ("2024-05-01t06:30:00z", "2024-05-01T06:30:00+00:00"),
        ("2024-05-01T06:30:00+02:00", "2024-05-01T04:30:00+00:00"),
        ("2024-05-01T06:30:00.250Z", "2024-05-01T06:30:00.250000+00:00"),
        ("2024-05-01 06:30", "2024-05-01T06:30:00+00:00"),
        ("30 days", "2024-05-01T12:00:00+00:00"),
        ("30d", "2024-05-01T12:00:00+00:00"),
        ("1 day ago", "2024-05-30T12:00:00+00:00"),
        ("2w", "2024-05-17T12:00:00+00:00"),
        ("1 week, 2 days", "2024-05-22T12:00:00+00:00"),
        ("1w2d", "2024-05-22T12:00:00+00:00"),
        ("36 hours", "2024-05-30T00:00:00+00:00"),
        ("90 minutes", "2024-05-31T10:30:00+00:00"),
        ("P30D", "2024-05-01T12:00:00+00:00"),
        ("p2w", "2024-05-17T12:00:00+00:00"),
        ("P1DT12H", "2024-05-30T00:00:00+00:00"),
        ("PT90M", "2024-05-31T10:30:00+00:00"),
    ],
)
def test_a_moment_is_read(text: str, meant: str) -> None:
    assert datetime.fromtimestamp(parse_moment(text, now=NOW), UTC).isoformat() == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"'' is no moment: {EXPECTED}"),
        ("30", f"'30' is no moment: {EXPECTED}"),
        ("yesterday", f"'yesterday' is no moment: {EXPECTED}"),
        ("3 fortnights", f"'3 fortnights' is no moment: {EXPECTED}"),
        ("-3 days", f"'-3 days' is no moment: {EXPECTED}"),
        ("P", f"'P' is no moment: {EXPECTED}"),
        ("P1DT", f"'P1DT' is no moment: {EXPECTED}"),
        ("20240501", f"'20240501' is no moment: {EXPECTED}"),
        ("1 month", f"'1 month' is no moment: {UNEVEN}"),
        ("2y", f"'2y' is no moment: {UNEVEN}"),
        ("P1M", f"'P1M' is no moment: {UNEVEN}"),
        ("P1Y2D", f"'P1Y2D' is no moment: {UNEVEN}"),
        ("2024-13-01", "'2024-13-01' is no moment: time data '2024-13-01' does not match format '%Y-%m-%d'"),
        ("9999-12-31", "'9999-12-31' is no moment: date value out of range"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadMoment) as caught:
        parse_moment(text, now=NOW)
    assert str(caught.value) == message


def test_durations_end_with_the_beginning_of_time() -> None:
    with pytest.raises(BadMoment, match="before 1970"):
        parse_moment("99999999999d", now=NOW)


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_an_upload_is_at_the_same_moment_everywhere(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert upload_moment("2024-05-01T20:00:00") == datetime(2024, 5, 1, 20, tzinfo=UTC)
        assert upload_moment("2024-05-01T20:00:00+02:00") == datetime(2024, 5, 1, 18, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert upload_moment("yesterday") is None
