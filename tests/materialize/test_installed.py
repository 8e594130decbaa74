import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stores import SITE, Stock, make_stock
from support.wheels import make_wheel

from wheelstore.materialize.directories import Directories, belongs_to_venv
from wheelstore.materialize.installed import Found, differing, find_distributions, holds, normalized
from wheelstore.materialize.plan import Distribution, Plan


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The site-packages of the environment that `tmp_path` is."""
    directory = tmp_path / SITE
    directory.mkdir(parents=True)
    return directory


def found(root: Path, *sites: str) -> list[Found]:
    return find_distributions(str(root), sites or (SITE,))


def write(path: Path, content: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_a_distribution_owns_what_its_record_lists_and_its_metadata(tmp_path: Path, site: Path) -> None:
    write(site / "demo-1.0.dist-info/RECORD", "demo.py,,\n../../../bin/demo,,\ndemo-1.0.dist-info/RECORD,,\n")
    write(site / "demo-1.0.dist-info/licenses/LICENSE")
    (site / "demo-1.0.dist-info/empty/er").mkdir(parents=True)
    (site / "demo-1.0.dist-info/link").symlink_to(site)
    (one,) = found(tmp_path)
    assert one.distribution == Distribution("demo", "1.0", f"{SITE}/demo-1.0.dist-info")
    metadata = ("RECORD", "empty/er", "licenses/LICENSE", "link")
    assert one.files == (
        "bin/demo",
        *(f"{SITE}/demo-1.0.dist-info/{name}" for name in metadata),
        f"{SITE}/demo.py",
    )


def test_nothing_outside_is_owned(tmp_path: Path, site: Path) -> None:
    outside = ["../../../../evil", "/etc/passwd", "../../..", "a/../../../../../x", f"{tmp_path}x/y", "nul\0.py"]
    inside = [f"{tmp_path}/bin/absolute", "a/../b.py", "./c.py"]
    write(site / "demo-1.0.dist-info/RECORD", "".join(f"{path},,\n" for path in (*outside, *inside)))
    assert found(tmp_path)[0].files == (
        "bin/absolute",
        f"{SITE}/b.py",
        f"{SITE}/c.py",
        f"{SITE}/demo-1.0.dist-info/RECORD",
    )


def test_old_forms_own_their_metadata(tmp_path: Path, site: Path) -> None:
    write(site / "Old_Egg.Info-2.0-py3.8.egg-info", "Name: x\n")
    write(site / "older-1.0.egg-info/PKG-INFO", "Name: y\n")
    write(site / "bare.egg-info/SOURCES.txt")
    (site / "hollow-3.0.dist-info").mkdir()
    write(site / "unreadable-1.0.dist-info/RECORD")
    (site / "unreadable-1.0.dist-info/RECORD").write_bytes(b"\xff\xfe")
    listed = {one.distribution[:2]: one.files for one in found(tmp_path)}
    assert listed == {
        ("bare", ""): (f"{SITE}/bare.egg-info/SOURCES.txt",),
        ("hollow", "3.0"): (f"{SITE}/hollow-3.0.dist-info",),
        ("old-egg-info", "2.0"): (f"{SITE}/Old_Egg.Info-2.0-py3.8.egg-info",),
        ("older", "1.0"): (f"{SITE}/older-1.0.egg-info/PKG-INFO",),
        ("unreadable", "1.0"): (f"{SITE}/unreadable-1.0.dist-info/RECORD",),
    }


def test_metadata_that_is_a_link_owns_no_more_than_the_link(tmp_path: Path, site: Path) -> None:
    write(tmp_path / "outside/METADATA")
    (site / "demo-1.0.dist-info").symlink_to(tmp_path / "outside")
    (site / "gone-1.0.dist-info").symlink_to("nowhere")
    assert [one.files for one in found(tmp_path)] == [(f"{SITE}/demo-1.0.dist-info",), (f"{SITE}/gone-1.0.dist-info",)]


@pytest.mark.parametrize("name", ["~ip-1.0.dist-info", "~", "dist-info", ".dist-info", "demo-1.0.dist-infos", "demo"])
def test_other_names_are_no_distributions(tmp_path: Path, site: Path, name: str) -> None:
    (site / name).mkdir()
    assert found(tmp_path) == []


def test_several_sites_are_searched_once_each_and_missing_ones_hold_nothing(tmp_path: Path, site: Path) -> None:
    write(site / "b-1.0.dist-info/METADATA")
    write(tmp_path / "lib/other/a-1.0.dist-info/METADATA")
    write(tmp_path / "file")
    names = [one.distribution.name for one in found(tmp_path, SITE, "lib/other", SITE, "lib/none", "file")]
    assert names == ["a", "b"]


@given(st.text(st.sampled_from("aB1-_."), max_size=9))
def test_names_are_normalized_as_the_specification_says(name: str) -> None:
    assert normalized(name) == re.sub(r"[-_.]+", "-", name).lower()


# What differs from a plan

CODE = b"code\n"
Spoil = Callable[[Path], object]


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return make_stock(tmp_path / "store")


@pytest.fixture
def plan(stock: Stock, tmp_path: Path) -> Plan:
    files = {"demo/a.py": CODE, "demo/b.py": b"b\n", "demo/empty.py": b"", "demo/run": CODE, "demo/hollow": b""}
    return stock.plan([make_wheel(tmp_path, files=files, executable=["demo/run", "demo/hollow"])])


def differences(root: Path, plan: Plan) -> set[str]:
    return {path.removeprefix(f"{SITE}/") for path in differing(str(root), plan, Directories(str(root)))}


@pytest.mark.parametrize("mode", ["hardlink", "copy"])
def test_a_new_tree_does_not_differ(stock: Stock, tmp_path: Path, plan: Plan, mode: str) -> None:
    root = stock.build(tmp_path / "env", plan, mode)  # type: ignore[arg-type]
    assert differences(root, plan) == set()


def replace_by(content: bytes) -> Spoil:
    def spoil(path: Path) -> None:
        mode = path.stat().st_mode
        path.unlink()
        path.write_bytes(content)
        path.chmod(mode)

    return spoil


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def link_elsewhere(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


SPOILS: dict[str, tuple[Spoil, list[str]]] = {
    "removed": (Path.unlink, ["a.py", "empty.py", "run"]),
    "edited": (replace_by(b"other"), ["a.py", "empty.py", "run", "hollow"]),
    "edited to the same size": (replace_by(b"edoc\n"), ["a.py", "run"]),
    "emptied": (replace_by(b""), ["a.py", "run"]),
    "directory": (make_directory, ["a.py", "empty.py"]),
    "link": (link_elsewhere, ["a.py", "empty.py"]),
    "executable": (lambda path: path.chmod(0o755), ["a.py", "empty.py"]),
    "not executable": (lambda path: path.chmod(0o644), ["run", "hollow"]),
    "old": (lambda path: os.utime(path, (0, 0)), ["a.py", "run"]),
}


@pytest.mark.parametrize(
    ("spoil", "name"),
    [pytest.param(spoil, name, id=f"{how} {name}") for how, (spoil, names) in SPOILS.items() for name in names],
)
def test_what_is_not_as_planned_differs(stock: Stock, tmp_path: Path, plan: Plan, spoil: Spoil, name: str) -> None:
    root = stock.build(tmp_path / "env", plan, "copy")
    spoil(root / SITE / "demo" / name)
    assert differences(root, plan) == {f"demo/{name}"}


def test_what_is_found_by_way_of_a_link_differs(stock: Stock, tmp_path: Path, plan: Plan) -> None:
    root = stock.build(tmp_path / "env", plan)
    (root / SITE / "demo").rename(tmp_path / "outside")
    (root / SITE / "demo").symlink_to(tmp_path / "outside")
    assert differences(root, plan) == {f"demo/{name}" for name in ("a.py", "b.py", "empty.py", "run", "hollow")}


def test_holding_means_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert not holds(str(path), CODE, executable=False)
    path.write_bytes(CODE)
    assert holds(str(path), CODE, executable=False)
    assert not holds(str(path), CODE, executable=True)
    assert not holds(str(path), b"edoc\n", executable=False)
    assert not holds(str(path), CODE + b"more", executable=False)
    (tmp_path / "link").symlink_to(path)
    assert not holds(str(tmp_path / "link"), CODE, executable=False)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert not holds(str(tmp_path / "pipe"), b"", executable=False)


# Directories


def test_own_directories_are_those_without_a_link_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "lib/a/b").mkdir(parents=True)
    (tmp_path / "lib64").symlink_to("lib")
    (tmp_path / "link").symlink_to("lib")
    (tmp_path / "lib/out").symlink_to(tmp_path.parent)
    (tmp_path / "file").write_text("")
    directories = Directories(str(tmp_path))
    own = ["", "lib", "lib/a", "lib/a/b", "lib64", "lib64/a/b"]
    others = [
        "link",
        "link/a",
        "lib/out",
        f"lib/out/{tmp_path.name}",
        "file",
        "file/x",
        "none",
        "none/x",
        "x" * 300,
        "\0",
    ]
    assert [path for path in (*own, *others) if directories.own(path)] == own
    assert directories.canonical("lib64/a/x.py") == "lib/a/x.py"
    assert directories.canonical("lib640/x") == "lib640/x"


def test_a_lib64_that_leads_elsewhere_is_not_lib(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib64").symlink_to("../lib")
    directories = Directories(str(tmp_path))
    assert not directories.own("lib64")
    assert directories.canonical("lib64/x") == "lib64/x"


@pytest.mark.parametrize(
    "path",
    [
        *("pyvenv.cfg", "PyVenv.cfg", ".gitignore", "CACHEDIR.TAG", "lib64", ".wheelstore/state", ".wheelstore/a/b"),
        *("bin/python", "bin/python3", "bin/python3.12", "bin/python3.13t", "bin/pypy3.10", "Scripts/pythonw.exe"),
        *("bin/activate", "bin/activate.fish", "bin/Activate.ps1", "bin/activate_this.py", "Scripts/deactivate.bat"),
    ],
)
def test_the_venv_itself_is_nobody_s(path: str) -> None:
    assert belongs_to_venv(path)


@pytest.mark.parametrize(
    "path",
    [
        *("README", "lib64/x", f"{SITE}/pyvenv.cfg", f"{SITE}/python", "share/bin/activate", ".wheelstores/x"),
        *("bin/pip", "bin/python-config", "bin/activate-global-python-argcomplete", "bin/pythonize", "bin/sub/python"),
    ],
)
def test_other_files_are_no_part_of_the_venv(path: str) -> None:
    assert not belongs_to_venv(path)
