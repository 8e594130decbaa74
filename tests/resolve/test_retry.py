from wheelstore.resolve.fetch_errors import Trouble
from wheelstore.resolve.retry import Retries, backoff, read_retry_after


def test_waits_double_up_to_a_limit() -> None:
    assert [backoff(failures) for failures in range(1, 8)] == [0.25, 0.5, 1, 2, 4, 8, 8]


def test_a_server_may_ask_for_a_wait_but_not_for_any() -> None:
    assert backoff(1, 3.0) == 3
    assert backoff(1, 86400.0) == 30


def test_retry_after_is_seconds_or_a_date() -> None:
    assert read_retry_after({"retry-after": " 7 "}) == 7
    dates = {"date": "Mon, 06 Jan 2025 10:00:00 GMT", "retry-after": "Mon, 06 Jan 2025 10:00:12 GMT"}
    assert read_retry_after(dates) == 12
    assert read_retry_after({**dates, "retry-after": dates["date"], "date": dates["retry-after"]}) == 0


def test_a_retry_after_without_sense_is_none() -> None:
    for headers in (
        {},
        {"retry-after": "soon"},
        {"retry-after": "Mon, 06 Jan 2025 10:00:12 GMT"},
        {"retry-after": "-1"},
    ):
        assert read_retry_after(headers) is None


def test_retries_end_at_their_limit_and_at_what_cannot_pass() -> None:
    waits: list[float] = []
    retries = Retries(2, waits.append)
    assert not retries.again(Trouble("for good"))
    retries.reset()
    passing = Trouble("for now", transient=True)
    assert [retries.again(passing) for _ in range(3)] == [True, True, False]
    assert waits == [0.25, 0.5]
