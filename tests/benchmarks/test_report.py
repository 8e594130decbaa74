"""Tables, verdicts, charts, disk usage, and the lock with one change."""

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from benchmarks.chart import Bar, Group, draw
from benchmarks.harness import Measured
from benchmarks.locks import release, with_previous_version
from benchmarks.report import document, quantity, rows, table
from benchmarks.scenarios import SCENARIOS, Comparison, Scenario, chosen
from benchmarks.sizes import disk_usage

SVG = "{http://www.w3.org/2000/svg}"


def scenario(*comparisons: Comparison) -> Scenario:
    return Scenario(name="race", title="A race", rounds=2, measure=lambda *_: Measured(), comparisons=comparisons)


def raced() -> Measured:
    measured = Measured()
    measured.record("store", wall=0.05)
    measured.record("uv", wall=0.1)
    measured.record("pip", wall=12.0)
    return measured


def test_a_budget_is_met_missed_or_absent() -> None:
    race = scenario(
        Comparison(against="uv", limit=0.5),
        Comparison(against="uv", limit=0.4),
        Comparison(against="pip"),
        Comparison(against="nobody", limit=1),
    )
    assert [row.verdict for row in rows(race, raced())] == ["met", "missed", "", "failed"]


def test_the_table_reads_well() -> None:
    race = scenario(Comparison(against="uv", limit=0.5), Comparison(against="pip"))
    lines = table(rows(race, raced())).splitlines()
    assert lines[2] == "| A race | time | 50.0 ms | uv 100 ms | 0.50 | ≤ 0.5 | met |"
    assert lines[3] == "|  | time | 50.0 ms | pip 12.0 s | 0.00 |  |  |"


def test_what_neither_side_measured_is_left_out() -> None:
    assert rows(scenario(Comparison(against="uv", metric="tree", limit=1.5)), raced()) == []


@pytest.mark.parametrize(
    ("value", "metric", "text"),
    [
        (0.0123, "wall", "12.3 ms"),
        (1.2345, "wall", "1234 ms"),
        (5 * 2**20, "peak", "5.0 MiB"),
        (300 * 2**20, "allocated", "300 MiB"),
        (None, "wall", "failed"),
    ],
)
def test_quantities(value: float | None, metric: str, text: str) -> None:
    assert quantity(value, metric) == text


def test_the_document_is_json_and_holds_every_round() -> None:
    race = scenario(Comparison(against="uv", limit=0.5))
    content = json.loads(json.dumps(document([(race, raced())], rows(race, raced()), {"system": "Linux"})))
    assert content["scenarios"]["race"]["rounds"]["uv"] == {"wall": [0.1]}
    assert content["comparisons"][0]["verdict"] == "met"


def test_scenarios_are_chosen_by_name_and_keep_their_order() -> None:
    assert [each.name for each in chosen(["cold", "warm"])] == ["warm", "cold"]
    assert chosen([]) == SCENARIOS
    with pytest.raises(KeyError):
        chosen(["nonsense"])


def chart(*values: float) -> ET.Element:
    bars = [Bar(label="wheelstore", value=values[0], text="<fast & small>", ours=True)]
    bars += [Bar(label="peer", value=value, text=f"{value}", ours=False) for value in values[1:]]
    return ET.fromstring(draw([Group(title="a < b", bars=tuple(bars)), Group(title="c", bars=tuple(bars))]))


def test_a_chart_is_well_formed_and_says_everything_in_words() -> None:
    root = chart(1.0, 2.0)
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts.count("<fast & small>") == 2
    assert "a < b" in texts
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text is not None
    assert title.text.startswith("a < b: wheelstore <fast & small>, peer 2.0; c:")
    assert "prefers-color-scheme: dark" in "".join(root.itertext())


def test_bars_are_proportional_and_one_that_is_far_too_long_is_cut() -> None:
    root = chart(1.0, 2.0, 60.0)
    widths = [float(element.attrib["width"]) for element in root.iter(f"{SVG}rect")]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)
    assert len(list(root.iter(f"{SVG}polygon"))) == 2


def test_everything_in_a_chart_lies_inside_of_it() -> None:
    root = chart(3.0, 2.0, 60.0)
    height = float(root.attrib["height"])
    bottoms = [
        float(each.attrib["y"]) + float(each.attrib.get("height", 0)) for each in root.iter() if "y" in each.attrib
    ]
    assert max(bottoms) < height


@pytest.mark.skipif(os.name == "nt", reason="st_blocks")
def test_hard_links_count_once(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "one").write_bytes(b"x" * 10_000)
    os.link(tmp_path / "one", tmp_path / "deep" / "two")
    (tmp_path / "three").write_bytes(b"y")
    allocated, apparent, files = disk_usage(tmp_path)
    assert (apparent, files) == (10_001, 2)
    assert allocated >= 10_001


LOCK = """\
# made by hand
abc==3.10 ; python_version >= '3.11' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via xyz
xyz==1 \\
    --hash=sha256:cc
"""


def file(name: str, *, yanked: bool = False) -> dict[str, object]:
    return {"filename": name, "hashes": {"sha256": name[:12]}, "yanked": yanked}


def test_one_pin_goes_back_to_the_release_before() -> None:
    files = [
        file("abc-3.9-py3-none-any.whl"),
        file("abc-3.10-py3-none-any.whl"),
        file("abc-3.2-py3-none-any.whl"),
        file("abc-3.9.1rc1-py3-none-any.whl"),
        file("abc-3.9.2-py3-none-any.whl", yanked=True),
        file("abc-3.9.3-cp312-cp312-win32.whl"),
        file("abc-3.9.4.tar.gz"),
    ]
    changed = with_previous_version(LOCK, "abc", files)
    pin = "abc==3.9 ; python_version >= '3.11' \\\n    --hash=sha256:abc-3.9-py3-"
    assert changed == LOCK.replace(LOCK[LOCK.index("abc==") : LOCK.index("\n    # via")], pin)


def test_releases_compare_by_numbers() -> None:
    assert release("3.9") < release("3.10") == release("3.10.0") < release("3.10.1")


def test_a_pin_without_a_release_before_it_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no release of abc before 3\.10"):
        with_previous_version(LOCK, "abc", [file("abc-3.10.0-py3-none-any.whl")])
    with pytest.raises(ValueError, match="no pin of ab"):
        with_previous_version(LOCK, "ab", [])
