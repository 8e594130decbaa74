"""Slopes, made-up wheels, locks of any size, disk space of many environments, and tables of their own."""

import hashlib
import itertools
import json
import re
import zipfile
from pathlib import Path

import pytest
from benchmarks import many, scaling
from benchmarks.harness import Measured
from benchmarks.report import page, quantity, rows
from benchmarks.scenarios import SCENARIOS, Comparison, Scenario
from benchmarks.slope import slope
from benchmarks.synthetic import FILES, grow, pins

LARGE = Path(__file__).parents[2] / "benchmarks" / "large.txt"


def scenario(*comparisons: Comparison, group: str = "") -> Scenario:
    return Scenario(
        name="race", title="A race", rounds=2, measure=lambda *_: Measured(), comparisons=comparisons, group=group
    )


def test_a_line_is_fitted_through_all_points() -> None:
    assert slope([(0, 1), (10, 21), (20, 41)]) == pytest.approx(2)
    assert slope([(0, 5), (10, 5.2), (20, 5)]) == pytest.approx(0)


def test_a_slope_is_in_milliseconds_for_a_thousand_files() -> None:
    measured = Measured()
    for wall in (0.1, 0.2):
        measured.record("uv", **{"10 packages": wall, "50 packages": wall + 0.02})
    scaling.fit(measured, {10: 1000, 50: 2000})
    assert measured.values["uv"]["slope"] == [pytest.approx(20), pytest.approx(20)]
    assert quantity(20.0, "slope") == "20.00 ms"
    assert "| 10 | 1,000 | 150 ms |\n| 50 | 2,000 | 170 ms |\n| slope | per 1,000 | 20.00 ms |" in scaling.table(
        measured, {10: 1000, 50: 2000}
    )


def test_the_large_lock_is_complete_and_names_no_index() -> None:
    text = LARGE.read_text()
    found = pins(text)
    assert len(found) == 222
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", pin) for pin in found)
    assert "://" not in text + LARGE.with_suffix(".in").read_text()


def test_a_small_lock_is_a_part_of_the_large_one(tmp_path: Path) -> None:
    text = LARGE.read_text()
    assert len(pins(grow(text, 10, tmp_path))) == 10
    assert set(pins(grow(text, 50, tmp_path))) <= set(pins(text))
    assert not list(tmp_path.iterdir())


def test_beyond_the_large_lock_wheels_are_made_up_and_always_the_same(tmp_path: Path) -> None:
    lock = "a==1 \\\n    --hash=sha256:aa\n    # via b\n"
    assert grow(lock, 3, tmp_path / "one") == grow(lock, 3, tmp_path / "two")
    digest = pins(grow(lock, 2, tmp_path / "one"))[1].rpartition(":")[2].strip()
    (wheel,) = (tmp_path / "one" / "files").glob("synthetic_000-1-*.whl")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == digest
    with zipfile.ZipFile(wheel) as archive:
        assert abs(len(archive.namelist()) - FILES) < 5
        record = archive.read("synthetic_000-1.dist-info/RECORD").decode().splitlines()
        assert {line.split(",")[0] for line in record} == set(archive.namelist())
    content = json.loads((tmp_path / "one" / "pages" / "synthetic-000.json").read_text())
    assert content["files"][0]["hashes"] == {"sha256": digest}


def test_time_and_space_of_many_environments_are_told_for_each() -> None:
    measured = Measured()
    for wall in (0.02, 0.03, 0.04):
        measured.record("store layered", wall=wall)
    measured.record("store layered", disk=200 * 1024)
    assert many.table(measured).splitlines()[2:] == ["| store layered | ext4 | 4 | 30 ms | 200 KiB |"]
    assert many.space(3.5 * 2**20) == "3.5 MiB"


def test_what_a_machine_cannot_have_is_left_out_and_not_a_failure() -> None:
    measured = Measured(skipped={"store snapshot": "no btrfs"})
    measured.record("uv", wall=0.1)
    assert rows(scenario(Comparison(subject="store snapshot", against="uv")), measured) == []


def test_groups_have_tables_of_their_own_and_what_belongs_to_them_follows() -> None:
    measured = Measured(appendix="| a |\n")
    measured.record("store", wall=0.1)
    measured.record("uv", wall=0.2)
    plain, grouped = scenario(Comparison(against="uv")), scenario(Comparison(against="uv"), group="Instant")
    text = page([(plain, Measured(values=measured.values)), (grouped, measured)])
    assert text.count("| A race | time |") == 2
    assert text.index("### Instant\n") > text.index("| A race |")
    assert text.endswith("A race:\n\n| a |\n")


def test_scenarios_of_a_group_stand_together() -> None:
    groups = [each.group for each in SCENARIOS]
    assert len([1 for one, other in itertools.pairwise(groups) if one != other]) == len(set(groups)) - 1
