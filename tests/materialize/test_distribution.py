import base64
import csv
import hashlib
import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.stores import SCHEME, SITE, Stock, make_stock, tree_of
from support.wheels import make_wheel

from wheelstore.materialize.distribution import Installed, PathConflict, Scheme, plan_environment
from wheelstore.materialize.plan import Plan, Script, pack

CODE = b"def main():\n    return 0\n"
FEDORA = Scheme(purelib=SITE, platlib="lib/other/site-packages", scripts="bin", include="include/site/python3.12")


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return make_stock(tmp_path / "store")


def recorded(root: Path, dist_info: str) -> dict[str, tuple[str, str]]:
    """The hash and size of every line of a RECORD, by path relative to the environment."""
    site = os.path.dirname(dist_info)
    with open(root / dist_info / "RECORD", encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, strict=True))
    paths = [os.path.normpath(f"{site}/{path}") for path, _, _ in rows]
    assert len(paths) == len(set(paths))
    return {path: (digest, size) for path, (_, digest, size) in zip(paths, rows, strict=True)}


def check_records(root: Path, plan: Plan) -> None:
    """Every file of the environment is in a RECORD, and every RECORD tells the truth."""
    listed: set[str] = set()
    for distribution in plan.distributions:
        lines = recorded(root, distribution.dist_info)
        own = f"{distribution.dist_info}/RECORD"
        assert lines.pop(own) == ("", "")
        for path, (stated, size) in lines.items():
            content = (root / path).read_bytes()
            algorithm, _, encoded = stated.partition("=")
            digest = hashlib.new(algorithm, content).digest()
            assert encoded == base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), path
            assert size == str(len(content)), path
        listed |= {own, *lines}
    assert listed == {path for path, (kind, _) in tree_of(root).items() if kind != "directory"}


EVERYTHING: dict[str, Any] = {
    "files": {
        "demo/__init__.py": CODE,
        "demo/empty.py": b"",
        'demo/a,"b".py': b"x = 1\n",
        "demo/\u2028.py": b"y = 1\n",
        "single.py": CODE,
        "a/_vendor/six-1.0.dist-info/RECORD": b"six.py,,\n",
    },
    "executable": ["demo/empty.py"],
    "entry_points": {"console_scripts": {"demo": "demo:main"}, "gui_scripts": {"demo-window": "demo:main"}},
    "scripts": {
        "own": b"#!python\nprint(1)\n",
        "window": b"#!pythonw -E\nprint(2)\n",
        "plain": b"#!/bin/sh\n",
        "none": b"",
    },
    "data": {
        "data/share/man/demo.1": b"manual\n",
        "data/etc/demo.conf": b"",
        "headers/demo.h": b"#pragma once\n",
        "headers/sub/more.h": b"#pragma twice\n",
        "purelib/pure.py": b"p = 1\n",
        "platlib/plat.py": b"q = 1\n",
    },
    "dist_info_files": {
        "licenses/LICENSE": b"do\n",
        "INSTALLER": b"builder\n",
        "REQUESTED": b"!",
        "direct_url.json": b"{}",
    },
}


@pytest.mark.parametrize("scheme", [SCHEME, FEDORA], ids=["one site", "two sites"])
@pytest.mark.parametrize("purelib", [True, False])
def test_every_file_is_recorded_truthfully(stock: Stock, tmp_path: Path, scheme: Scheme, purelib: bool) -> None:
    wheel = make_wheel(tmp_path, "Demo", root_is_purelib=purelib, **EVERYTHING)
    plan = stock.plan([wheel, make_wheel(tmp_path, "other")], scheme)
    root = stock.build(tmp_path / "env", plan)
    check_records(root, plan)
    site = scheme.purelib if purelib else scheme.platlib
    assert {f"{site}/Demo-1.0.dist-info", f"{SITE}/other-1.0.dist-info"} == {
        one.dist_info for one in plan.distributions
    }
    files = tree_of(root)
    assert files[f"{site}/demo/__init__.py"] == ("file", CODE)
    assert files[f"{site}/demo/empty.py"] == ("program", b"")
    assert files[f"{scheme.purelib}/pure.py"] == ("file", b"p = 1\n")
    assert files[f"{scheme.platlib}/plat.py"] == ("file", b"q = 1\n")
    assert files["share/man/demo.1"] == ("file", b"manual\n")
    assert files["include/site/python3.12/demo/sub/more.h"] == ("file", b"#pragma twice\n")


def test_scripts_name_the_environment_s_interpreter(stock: Stock, tmp_path: Path) -> None:
    root = stock.build(tmp_path / "env", stock.plan([make_wheel(tmp_path, **EVERYTHING)]))
    scripts = {path: content for path, content in tree_of(root).items() if path.startswith("bin/")}
    first_line = f"#!{root}/bin/python\n".encode()
    assert {kind for kind, _ in scripts.values()} == {"program"}
    assert scripts["bin/own"] == ("program", first_line + b"print(1)\n")
    assert scripts["bin/window"] == ("program", first_line + b"print(2)\n")
    assert scripts["bin/plain"] == ("program", b"#!/bin/sh\n")
    for name in ("bin/demo", "bin/demo-window"):
        content = scripts[name][1]
        assert isinstance(content, bytes)
        assert content.startswith(first_line)
        assert b"from demo import main\n" in content
    assert sorted(scripts) == ["bin/demo", "bin/demo-window", "bin/none", "bin/own", "bin/plain", "bin/window"]


def test_importlib_finds_what_is_installed(stock: Stock, tmp_path: Path) -> None:
    # It takes a U+2028 for the end of a line.
    files = {path: body for path, body in EVERYTHING["files"].items() if path.isascii()}
    wheel = make_wheel(tmp_path, "Demo.Thing", **{**EVERYTHING, "files": files})
    root = stock.build(tmp_path / "env", stock.plan([wheel]))
    (found,) = importlib.metadata.distributions(path=[str(root / SITE)])
    assert (found.metadata["Name"], found.version, found.read_text("INSTALLER")) == (
        "Demo.Thing",
        "1.0",
        "wheelstore\n",
    )
    assert found.read_text("REQUESTED") == ""
    assert found.read_text("direct_url.json") is None
    assert {point.name for point in found.entry_points} == {"demo", "demo-window"}
    assert found.files
    assert all(file.locate().is_file() for file in found.files)  # type: ignore[attr-defined]


def test_a_direct_url_is_kept_and_recorded(stock: Stock, tmp_path: Path) -> None:
    row = stock.add(make_wheel(tmp_path, **EVERYTHING))
    plan = plan_environment([Installed(wheel=row, direct_url='{"url": "file:///a"}')], SCHEME, stock.blobs)
    root = stock.build(tmp_path / "env", plan)
    check_records(root, plan)
    assert (root / SITE / "demo-1.0.dist-info/direct_url.json").read_text() == '{"url": "file:///a"}'


@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_hashes_are_taken_over_from_the_wheel_s_own_record(stock: Stock, tmp_path: Path, bom: str) -> None:
    def first(text: str) -> str:
        code = hashlib.sha512(CODE).digest()
        stated = text.split("\n")[0].split(",")
        stated[1] = "sha512=" + base64.urlsafe_b64encode(code).rstrip(b"=").decode()
        return bom + "\n".join([",".join(stated), *text.split("\n")[1:]])

    plan = stock.plan([make_wheel(tmp_path, files={"demo.py": CODE}, record=first)])
    root = stock.build(tmp_path / "env", plan)
    check_records(root, plan)
    assert recorded(root, f"{SITE}/demo-1.0.dist-info")[f"{SITE}/demo.py"][0].startswith("sha512=")


def test_signatures_of_a_record_that_is_not_installed_are_not_either(stock: Stock, tmp_path: Path) -> None:
    def sign(raw: Any) -> None:
        raw.add("demo-1.0.dist-info/RECORD.jws", b"{}")
        raw.add("demo-1.0.dist-info/RECORD.p7s", b"\0")

    plan = stock.plan([make_wheel(tmp_path, archive=sign)])
    root = stock.build(tmp_path / "env", plan)
    assert not [*root.rglob("RECORD.*")]
    check_records(root, plan)


# Two claims to one path


def conflict(stock: Stock, *wheels: Path) -> PathConflict:
    with pytest.raises(PathConflict) as caught:
        stock.plan(wheels)
    return caught.value


def test_the_same_file_from_two_wheels_is_installed_once(stock: Stock, tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path, name, files={"shared/__init__.py": CODE, f"{name}.py": CODE}) for name in ("a", "b")]
    plan = stock.plan(wheels)
    assert plan.targets.count(f"{SITE}/shared/__init__.py") == 1
    check_records(stock.build(tmp_path / "env", plan), plan)


def test_a_file_that_is_executable_for_one_of_two_is_so(stock: Stock, tmp_path: Path) -> None:
    files = {"shared/run": CODE, "shared/empty": b""}
    one = make_wheel(tmp_path, "a", files=files, executable=["shared/run"])
    two = make_wheel(tmp_path, "b", files=files, executable=["shared/empty"])
    plan = stock.plan([one, two])
    assert plan == stock.plan([two, one])
    found = tree_of(stock.build(tmp_path / "env", plan))
    assert found[f"{SITE}/shared/run"] == ("program", CODE)
    assert found[f"{SITE}/shared/empty"] == ("program", b"")


def test_another_file_at_the_same_path_is_a_conflict(stock: Stock, tmp_path: Path) -> None:
    one = make_wheel(tmp_path, "A.b", files={"shared/__init__.py": CODE})
    two = make_wheel(tmp_path, "c", "2.0", files={"shared/__init__.py": b"other"})
    error = conflict(stock, two, one)
    assert (error.target, error.owners) == (f"{SITE}/shared/__init__.py", ("a-b 1.0", "c 2.0"))
    assert str(error) == f"a-b 1.0 and c 2.0 both install {SITE}/shared/__init__.py, with different content"


def test_a_file_and_a_directory_of_one_name_are_a_conflict(stock: Stock, tmp_path: Path) -> None:
    one = make_wheel(tmp_path, "a", files={"shared/sub/b/__init__.py": CODE})
    two = make_wheel(tmp_path, "c", files={"shared/sub": b"no package"})
    for order in ((one, two), (two, one)):
        error = conflict(stock, *order)
        assert error.target == f"{SITE}/shared/sub"
        assert set(error.owners) == {"a 1.0", "c 1.0"}


POINT = {"console_scripts": {"tool": "demo:main"}}


@pytest.mark.parametrize(
    "other",
    [
        {"entry_points": {"console_scripts": {"tool": "demo:other"}}},
        {"entry_points": {"gui_scripts": {"tool": "demo:main"}}},
        {"scripts": {"tool": b"#!python\n"}},
        {"scripts": {"tool": b"#!/bin/sh\n"}},
        {"data": {"data/bin/tool": b"#!/bin/sh\n"}},
    ],
    ids=["entry point", "GUI script", "own script", "plain script", "data"],
)
def test_two_scripts_of_one_name_are_a_conflict(stock: Stock, tmp_path: Path, other: Mapping[str, Any]) -> None:
    wheels = make_wheel(tmp_path, "a", entry_points=POINT), make_wheel(tmp_path, "b", **other)
    error = conflict(stock, *wheels)
    assert (error.target, error.owners) == ("bin/tool", ("a 1.0", "b 1.0"))


def test_two_wheels_may_have_the_same_script(stock: Stock, tmp_path: Path) -> None:
    plan = stock.plan([make_wheel(tmp_path, name, entry_points=POINT) for name in ("a", "b")])
    assert plan.scripts == [Script("bin/tool", "demo", "main", "", gui=False)]
    check_records(stock.build(tmp_path / "env", plan), plan)


@pytest.mark.parametrize("script", ["tool", "tool.exe", "tool-script.py", "Tool.EXE".replace("T", "t"), "tool.pya"])
@pytest.mark.parametrize("body", [b"#!python\n", b"MZ", b""])
def test_an_entry_point_goes_before_its_wheel_s_own_script(
    stock: Stock, tmp_path: Path, script: str, body: bytes
) -> None:
    plan = stock.plan([make_wheel(tmp_path, entry_points=POINT, scripts={script: body, "more": body})])
    root = stock.build(tmp_path / "env", plan)
    check_records(root, plan)
    assert sorted(os.listdir(root / "bin")) == ["more", "tool"]
    assert b"from demo import main\n" in (root / "bin/tool").read_bytes()


def test_a_gui_script_goes_before_a_console_script_of_its_name(stock: Stock, tmp_path: Path) -> None:
    points = {"gui_scripts": {"tool": "demo:window"}, "console_scripts": {"tool": "demo:main"}}
    plan = stock.plan([make_wheel(tmp_path, entry_points=points)])
    assert plan.scripts == [Script("bin/tool", "demo", "window", "", gui=True)]


def test_a_wheel_may_conflict_with_itself(stock: Stock, tmp_path: Path) -> None:
    plan = stock.plan([make_wheel(tmp_path, "fine", files={"a.py": CODE}, data={"purelib/a.py": CODE})])
    check_records(stock.build(tmp_path / "env", plan), plan)
    wheel = make_wheel(tmp_path, files={"a.py": CODE}, data={"purelib/a.py": b"other"})
    assert str(conflict(stock, wheel)) == f"demo 1.0 installs {SITE}/a.py twice, with different content"


@pytest.mark.parametrize("name", [".wheelstore/state", ".wheelstore"])
def test_no_wheel_gets_at_the_environment_s_own_state(stock: Stock, tmp_path: Path, name: str) -> None:
    error = conflict(stock, make_wheel(tmp_path, data={f"data/{name}": b"state"}))
    assert error.owners == ("the environment itself", "demo 1.0")


@given(st.permutations(range(4)))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_the_wheels_does_not_matter(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    stock, wheels, expected, error = _prepared(tmp_path_factory)
    sound = [wheels[number] for number in order if number < 3]
    assert pack(plan_environment(sound, SCHEME, stock.blobs)) == expected
    with pytest.raises(PathConflict) as caught:
        plan_environment([wheels[number] for number in order], SCHEME, stock.blobs)
    assert str(caught.value) == error


_PREPARED: list[tuple[Stock, list[Installed], bytes, str]] = []


def _prepared(factory: pytest.TempPathFactory) -> tuple[Stock, list[Installed], bytes, str]:
    if not _PREPARED:
        directory = factory.mktemp("wheels")
        stock = make_stock(directory / "store")
        wheels = [
            make_wheel(directory, "a", **EVERYTHING),
            make_wheel(directory, "b", entry_points=POINT),
            make_wheel(directory, "c", "2.0", entry_points=POINT, files={"demo/__init__.py": CODE, "same.py": b"1"}),
            make_wheel(directory, "d", files={"demo/__init__.py": b"d", "same.py": b"2", "b": b"", "single.py": b"d"}),
        ]
        rows = [Installed(wheel=stock.add(wheel)) for wheel in wheels]
        plan = pack(plan_environment(rows[:3], SCHEME, stock.blobs))
        with pytest.raises(PathConflict) as caught:
            plan_environment(rows, SCHEME, stock.blobs)
        _PREPARED.append((stock, rows, plan, str(caught.value)))
    return _PREPARED[0]
