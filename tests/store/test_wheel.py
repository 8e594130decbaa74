import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.archives import DIRECTORY
from support.wheels import make_wheel, record_hash

from wheelstore.store.archive import read_archive, read_entry
from wheelstore.store.entry_points import EntryPoint
from wheelstore.store.refusal import BadWheel, Rule
from wheelstore.store.wheel import WheelContents, check_recorded, check_wheel, parse_wheel_name


def checked(wheel: Path) -> WheelContents:
    with wheel.open("rb") as file:
        return check_wheel(wheel.name, read_archive(file), partial(read_entry, file))


def test_the_contents_of_a_wheel(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path,
        "Demo.Thing",
        "1.0.0",
        entry_points={"console_scripts": {"demo": "demo:main"}},
        requires_python=">=3.9, <4",
        root_is_purelib=False,
        files={"demo.py": b"x = 1\n"},
        build="3",
    )
    contents = checked(wheel)
    assert (contents.name, contents.version) == ("demo-thing", "1.0.0")
    assert contents.dist_info == "Demo_Thing-1.0.0.dist-info"
    assert contents.data_dir == "Demo_Thing-1.0.0.data"
    assert contents.requires_python == ">=3.9, <4"
    assert not contents.root_is_purelib
    assert contents.entry_points == (EntryPoint(name="demo", module="demo", attribute="main"),)
    assert contents.record["demo.py"] == (hashlib.sha256(b"x = 1\n").digest(), 6)
    assert f"{contents.dist_info}/RECORD" not in contents.record
    assert f"{contents.dist_info}/METADATA" in contents.record


SOUND: dict[str, dict[str, Any]] = {
    "no entry points": {},
    "empty Requires-Python": {"metadata_extra": "Requires-Python:\n"},
    "name in another form": {"metadata": lambda text: text.replace("Name: demo", "Name: DEMO")},
    "version in another form": {"metadata": lambda text: text.replace("Version: 1.0", "Version: v1.0.0")},
    ".dist-info in another form": {"filename": "Demo-1.0.0-py3-none-any.whl"},
    "version with a hyphen": {"version": "1.0-1", "metadata": lambda text: text.replace("1.0-1", "1.0.post1")},
    "local version": {"version": "1.0+cpu.1"},
    "epoch": {"version": "1!1.0"},
    "several tags": {"tag": "py2.py3-none-any", "build": "1local"},
    "newer minor version": {"wheel_metadata": lambda text: text.replace("Wheel-Version: 1.0", "Wheel-Version: 1.9")},
    "Windows line ends": {
        "wheel_metadata": lambda text: text.replace("\n", "\r\n"),
        "metadata": lambda text: text.replace("\n", "\r\n"),
        "record": lambda text: text.replace("\n", "\r\n"),
    },
    "signed RECORD": {"archive": lambda raw: raw.add("demo-1.0.dist-info/RECORD.jws", b"{}")},
    "PKCS 7": {"archive": lambda raw: raw.add("demo-1.0.dist-info/RECORD.p7s", b"\0")},
    "directories": {"archive": lambda raw: raw.add("demo-1.0.data/scripts/", mode=DIRECTORY)},
    "no sizes": {"record": lambda text: "".join(f"{line.rpartition(',')[0]},\n" for line in text.splitlines())},
    "vendored .dist-info": {"files": {"demo/_vendor/six-1.0.dist-info/METADATA": b"Name: six\n"}},
    "names that need quotes": {"files": {'demo/a,"b".py': b"", "demo/\xe9.py": b"x"}},
    "nested programs": {"data": {"data/bin/sub/python": b"", "data/share/python": b"", "headers/python": b""}},
    "header like a .dist-info": {"data": {"headers/a.dist-info/METADATA": b""}},
    "own .pth file": {"data": {"purelib/demo.pth": b"demo\n"}},
    "file that ends in .data": {"files": {"demo.data": b"", "demo/x.data/y": b""}},
}


@pytest.mark.parametrize("arguments", SOUND.values(), ids=SOUND)
def test_sound_wheels_pass(arguments: dict[str, Any], tmp_path: Path) -> None:
    assert checked(make_wheel(tmp_path, **arguments)).name == "demo"


@pytest.mark.parametrize(
    ("filename", "project", "version", "build"),
    [
        ("demo-1.0-py3-none-any.whl", "demo", "1.0", ""),
        ("Foo.Bar_baz-1.0.post1-2a-cp312-cp312-win_amd64.whl", "foo-bar-baz", "1.0.post1", "2a"),
        ("demo-1.0_1-py3-none-any.whl", "demo", "1.0.post1", ""),
        ("demo-2!1.0+cu118-py2.py3-none-manylinux1_x86_64.manylinux2014_x86_64.whl", "demo", "2!1.0+cu118", ""),
    ],
)
def test_file_names_are_taken_apart(filename: str, project: str, version: str, build: str) -> None:
    name = parse_wheel_name(filename)
    assert (name.project, str(name.version), name.build) == (project, version, build)


@pytest.mark.parametrize(
    "filename",
    [
        *("", "demo.whl", "demo-1.0-py3-none-any.zip", "demo-1.0-py3-none-any.whl.metadata", "demo-1.0.tar.gz"),
        *("../demo-1.0-py3-none-any.whl", "demo-x-py3-none-any.whl", "demo-1.0-b1-py3-none-any.whl"),
        *("dé-1.0-py3-none-any.whl", "demo-1.0-1-2-py3-none-any.whl", "demo-1.0-py3-none-any.whl\n"),
    ],
)
def test_other_file_names_are_refused(filename: str) -> None:
    with pytest.raises(BadWheel) as refused:
        parse_wheel_name(filename)
    assert (refused.value.rule, refused.value.wheel) == (Rule.FILENAME, filename)


def test_hashes_are_compared_by_their_own_algorithm(tmp_path: Path) -> None:
    body = b"x = 1\n"
    wheel = make_wheel(
        tmp_path,
        files={"a.py": body, "b.py": body},
        record=lambda text: text.replace(record_hash(body), record_hash(body, "sha512"), 1),
    )
    contents = checked(wheel)
    assert (contents.algorithm("a.py"), contents.algorithm("b.py")) == ("sha512", "sha256")
    check_recorded(contents, "a.py", hashlib.sha512(body).digest(), 6)
    check_recorded(contents, "b.py", hashlib.sha256(body).digest(), 6)
    with pytest.raises(ValueError, match="sha512"):
        check_recorded(contents, "a.py", hashlib.sha256(body).digest(), 6)
    with pytest.raises(BadWheel) as refused:
        check_recorded(contents, "b.py", hashlib.sha256(b"other").digest(), 6)
    assert (refused.value.entry, refused.value.rule) == ("b.py", Rule.RECORD_HASH)
    with pytest.raises(BadWheel) as refused:
        check_recorded(contents, "b.py", hashlib.sha256(body).digest(), 7)
    assert refused.value.rule is Rule.RECORD_SIZE


def test_a_size_that_record_leaves_out_is_not_compared(tmp_path: Path) -> None:
    contents = checked(make_wheel(tmp_path, **SOUND["no sizes"]))
    check_recorded(contents, "demo/__init__.py", contents.record["demo/__init__.py"][0], 12345)


def test_record_itself_is_not_compared(tmp_path: Path) -> None:
    contents = checked(make_wheel(tmp_path))
    check_recorded(contents, f"{contents.dist_info}/RECORD", b"", 0)


def test_a_refusal_names_the_wheel(tmp_path: Path) -> None:
    with pytest.raises(BadWheel) as refused:
        check_wheel("demo-1.0-py3-none-any.whl", [], lambda _: b"")
    assert refused.value.wheel == "demo-1.0-py3-none-any.whl"
