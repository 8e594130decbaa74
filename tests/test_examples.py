"""The example locks: complete, hashed, and free of any index's address."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

EXAMPLES = Path(__file__).parents[1] / "examples"
LOCKS = sorted(EXAMPLES.glob("*.txt"))
SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def entries(lock: Path) -> Iterator[tuple[Requirement, list[str]]]:
    """Each requirement of a lock with its hashes; continuation lines are joined first."""
    joined = lock.read_text().replace("\\\n", " ")
    for line in joined.splitlines():
        line = line.partition(" #")[0].strip()
        if line and not line.startswith("#"):
            text, *hashes = re.split(r"\s+--hash=", line)
            yield Requirement(text), [digest.strip() for digest in hashes]


def named(path: Path) -> str:
    return path.name


def test_there_are_examples() -> None:
    assert [lock.stem for lock in LOCKS] == ["jupyter", "portable", "trio-docs"]


@pytest.mark.parametrize("lock", LOCKS, ids=named)
def test_every_lock_has_its_source(lock: Path) -> None:
    assert lock.with_suffix(".in").is_file()


@pytest.mark.parametrize("lock", LOCKS, ids=named)
def test_every_pin_is_exact_and_hashed(lock: Path) -> None:
    for requirement, hashes in entries(lock):
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
        assert hashes, requirement
        assert all(SHA256.fullmatch(digest) for digest in hashes), requirement


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=named)
def test_no_example_names_an_index_or_a_machine(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    assert not re.search(r"(?<![\w.])/(home|root|tmp|Users|work)/", text)


@pytest.mark.parametrize(
    ("stem", "version", "count"),
    [("jupyter", "3.12", 96), ("trio-docs", "3.12", 42), ("portable", "3.8", 22)],
)
def test_a_lock_selects_what_its_page_says(stem: str, version: str, count: int) -> None:
    linux = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{version}.1",
        "python_version": version,
        "sys_platform": "linux",
    }
    selected = [
        requirement.name
        for requirement, _ in entries(EXAMPLES / f"{stem}.txt")
        if requirement.marker is None or requirement.marker.evaluate(linux)
    ]
    assert len(selected) == len(set(selected)) == count
