"""The value types of a lock, and its errors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.pins import (
    Conflict,
    LockError,
    LockErrors,
    NotPinned,
    Pin,
    Position,
    UrlSource,
    VcsSource,
    checked_hash,
    normalize,
    parse_extras,
    raise_all,
)

HERE = Position("lock.txt", 3)


def test_names_and_extras_are_normalized() -> None:
    assert normalize("Foo._-Bar") == "foo-bar"
    assert parse_extras("B_b, a,,") == {"a", "b-b"}


def test_an_error_is_one_line_with_its_position() -> None:
    assert str(LockError(HERE, "is wrong")) == "lock.txt:3: is wrong"
    assert str(LockError(Position("lock.txt"), "is wrong")) == "lock.txt: is wrong"
    assert str(Conflict(HERE, "a contradicts b", Position("x", 1))) == "lock.txt:3: a contradicts b (x:1)"


def test_an_error_shows_no_credentials() -> None:
    error = LockError(HERE, "https://user:secret@host/x and git+ssh://token@host/y")
    assert str(error) == "lock.txt:3: https://host/x and git+ssh://host/y"
    assert "secret" not in repr(error)


def test_several_errors_are_raised_as_one() -> None:
    first, second = NotPinned(HERE, "a", "do it"), LockError(HERE, "b")
    with pytest.raises(LockErrors) as caught:
        raise_all([first, LockErrors((second, first))])
    assert caught.value.errors == (first, second, first)
    assert str(caught.value) == "lock.txt:3: a (and 2 more)"
    assert caught.value.hint == "do it"
    assert isinstance(caught.value, ResolveError)


def test_errors_are_told_by_file_and_line() -> None:
    positions = [Position("b", 2), Position("a", 3), Position("b", 1), Position("a", 1)]
    with pytest.raises(LockErrors) as caught:
        raise_all([LockError(position, "x") for position in positions])
    assert [str(error.position) for error in caught.value.errors] == ["b:1", "b:2", "a:1", "a:3"]


def test_one_error_is_raised_as_itself_and_none_not_at_all() -> None:
    error = NotPinned(HERE, "a")
    with pytest.raises(NotPinned) as caught:
        raise_all([error])
    assert caught.value.errors == (error,)
    raise_all([])


@pytest.mark.parametrize(("algorithm", "length"), [("sha256", 64), ("sha384", 96), ("sha512", 128)])
def test_strong_hashes_are_accepted_in_either_case(algorithm: str, length: int) -> None:
    assert checked_hash(algorithm, "A" * length) == f"{algorithm}:{'a' * length}"


@pytest.mark.parametrize(
    ("algorithm", "digest", "message"),
    [
        ("md5", "a" * 32, "hash algorithm 'md5' is not accepted, use one of sha256, sha384, sha512"),
        ("SHA256", "a" * 64, "hash algorithm 'SHA256' is not accepted, use one of sha256, sha384, sha512"),
        ("sha256", "a" * 63, "a sha256 hash has 64 hex digits, not 63"),
        ("sha256", "", "a sha256 hash has 64 hex digits, not 0"),
        ("sha256", "g" * 64, f"{'g' * 64!r} is not a hex digest"),
        ("sha256", "٣" * 64, f"{'٣' * 64!r} is not a hex digest"),
    ],
)
def test_other_hashes_are_refused(algorithm: str, digest: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        checked_hash(algorithm, digest)
    assert str(caught.value) == message


def test_a_url_source_is_its_url_and_subdirectory() -> None:
    one = UrlSource(url="https://h/a.zip", hashes=("sha256:a",))
    assert one == UrlSource(url="https://h/a.zip")
    assert hash(one) == hash(UrlSource(url="https://h/a.zip"))
    assert one != UrlSource(url="https://h/a.zip", subdirectory="b")
    assert one != "https://h/a.zip"


def test_a_pin_spells_what_it_names() -> None:
    pin = Pin(name=normalize("demo"), version=Version("1.0"), position=HERE)
    assert pin.spelling == "demo==1.0"
    assert replace(pin, version=None).spelling == "demo"
    assert replace(pin, source=UrlSource(url="https://u:p@h/d.zip")).spelling == "demo @ https://h/d.zip"
    source = VcsSource(vcs="git", url="https://h/d", revision="v1")
    assert replace(pin, source=source).spelling == "demo @ git+https://h/d@v1"
