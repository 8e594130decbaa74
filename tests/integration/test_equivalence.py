"""An environment holds the same, whether `store sync` or uv made it from a lock, and in whatever link mode."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from support.commands import UV, run
from support.places import Place
from support.trees import check_records, environment_content, records
from support.wheelhouse import EXAMPLES

# Environments do not change here, and uv's are compared to many.
content_of, records_of, true_records = cache(environment_content), cache(records), cache(check_records)


_LIST = """
import json
from importlib.metadata import distributions
print(json.dumps({d.metadata["Name"]: [d.version, sorted(f"{e.group}:{e.name}={e.value}" for e in d.entry_points),
                                       sorted(map(str, d.requires or []))] for d in distributions()}))
"""


@pytest.fixture(params=["jupyter", "trio-docs"])
def stem(request: pytest.FixtureRequest) -> str:
    """An example lock's name."""
    return str(request.param)


@pytest.fixture
def pair(stem: str, place: Place, uv_environment: Callable[[str], Path]) -> tuple[Path, Path]:
    """The environments that we and uv make of the lock."""
    return place.make(stem, stem), uv_environment(stem)


def test_the_same_files_with_the_same_content_and_executable_bits(pair: tuple[Path, Path]) -> None:
    ours, theirs = map(content_of, pair)
    assert ours.keys() == theirs.keys()
    assert {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]} == {}
    assert len(ours) > 2000


def test_every_record_lists_the_same_and_is_true(pair: tuple[Path, Path]) -> None:
    ours, theirs = pair
    assert records_of(ours) == records_of(theirs)
    assert true_records(ours) == true_records(theirs)


def test_python_sees_the_same_distributions(pair: tuple[Path, Path], environ: dict[str, str]) -> None:
    seen = [json.loads(run([str(one / "bin/python"), "-c", _LIST], environ=environ).stdout) for one in pair]
    assert seen[0] == seen[1]
    assert len(seen[0]) in (42, 96)


def test_uv_sees_the_same_distributions_and_finds_them_consistent(
    pair: tuple[Path, Path], environ: dict[str, str]
) -> None:
    lists = [run([UV, "pip", "list", "--format=json", "--python", str(one)], environ=environ) for one in pair]
    assert json.loads(lists[0].stdout) == json.loads(lists[1].stdout)
    checked = run([UV, "pip", "check", "--python", str(pair[0])], environ=environ)
    assert (checked.status, "All installed packages are compatible" in checked.stderr) == (0, True)


def test_uv_has_nothing_to_change(pair: tuple[Path, Path], stem: str, environ: dict[str, str]) -> None:
    words = ["pip", "sync", "--dry-run", "--offline", str(EXAMPLES / f"{stem}.txt"), "--python", str(pair[0])]
    ran = run([UV, *words], environ=environ)
    assert (ran.status, "Would make no changes" in ran.stderr) == (0, True), ran.stderr
