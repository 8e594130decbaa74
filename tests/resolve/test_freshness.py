from __future__ import annotations

import pytest

from wheelstore.resolve.freshness import fresh_until

DATE = "Mon, 01 Jan 2024 00:00:00 GMT"
LATER = "Mon, 01 Jan 2024 00:05:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"etag": '"x"'}, 0),
        ({"cache-control": "max-age=600, public"}, 600),
        ({"cache-control": 'Public, Max-Age="60"'}, 60),
        ({"cache-control": "max-age=600", "age": "100"}, 500),
        ({"cache-control": "max-age=600", "age": "1000"}, 0),
        ({"cache-control": "max-age=soon"}, 0),
        ({"cache-control": "max-age=-1"}, 0),
        ({"cache-control": "max-age=600, no-cache"}, 0),
        ({"cache-control": "no-store, max-age=600"}, 0),
        ({"cache-control": "public", "expires": LATER, "date": DATE}, 300),
        ({"cache-control": "max-age=10", "expires": LATER, "date": DATE}, 10),
        ({"expires": DATE, "date": LATER}, 0),
        ({"expires": "0", "date": DATE}, 0),
    ],
)
def test_how_long_an_answer_is_fresh(headers: dict[str, str], seconds: int) -> None:
    now = 1704067200.0  # DATE
    assert fresh_until(headers, now=now) == now + seconds


def test_expires_without_a_date_counts_from_now() -> None:
    assert fresh_until({"expires": LATER}, now=1704067200.0 + 100) == 1704067200.0 + 300
