"""Wheels that few projects publish and the specifications allow are installed as uv installs them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.archives import FILE, RawArchive
from support.commands import UV, StoreCommand, run
from support.locks import write_lock
from support.servers import IndexServer
from support.trees import check_records, environment_content, records
from support.wheels import make_wheel, sha256_of

from wheelstore.materialize.interpreter import Interpreter

PYTHON_SCRIPT = b"#!python\nimport sys\nprint(sys.prefix)\n"


def unexecutable(raw: RawArchive) -> None:
    for entry in raw.entries:
        entry.mode = FILE


ODD: dict[str, list[Mapping[str, Any]]] = {
    "every place": [
        {
            "data": {
                "headers/deep/demo.h": b"#define A\n",
                "data/etc/demo.conf": b"a=1\n",
                "data/share/man/man1/demo.1": b".TH\n",
                "purelib/demo_pure.py": b"p = 1\n",
                "platlib/demo_plat.py": b"q = 1\n",
            }
        }
    ],
    "platform wheel": [{"root_is_purelib": False, "data": {"purelib/demo_pure.py": b"p = 1\n"}}],
    "scripts": [
        {
            "scripts": {
                "with-python": PYTHON_SCRIPT,
                "with-options": b"#!python -E\nimport sys\n",
                "with-pythonw": b"#!pythonw\nimport sys\n",
                "with-shell": b"#!/bin/sh\necho hi\n",
                "compiled": b"\x7fELF\0\1\2",
                "only-a-line": b"#!python",
                "windows-lines": b"#!python\r\nimport sys\r\n",
                "empty": b"",
                "quotes-python.py": b"print('#!python')\n",
            }
        }
    ],
    "scripts without their bits": [{"scripts": {"tool": PYTHON_SCRIPT, "sh": b"#!/bin/sh\n"}, "archive": unexecutable}],
    "entry points": [
        {
            "entry_points": {
                "console_scripts": {
                    "plain": "demo:main",
                    "dotted": "demo.cli:app.run",
                    "with-extra": "demo:main [fast,slow]",
                    "Upper.case_x": "demo:main",
                },
                "gui_scripts": {"window": "demo.gui:main"},
                "other.group": {"plug": "demo.plug"},
            }
        }
    ],
    "executables": [
        {
            "files": {
                "demo/run.sh": b"#!/bin/sh\n",
                "demo/same.sh": b"#!/bin/sh\n",
                "demo/empty": b"",
                "demo/none": b"",
            },
            "executable": ["demo/run.sh", "demo/empty"],
        }
    ],
    "names": [
        {
            "files": {
                "demo/a, b.txt": b"comma\n",
                'demo/a "quoted" name.txt': b"quotes\n",
                "demo/caf\u00e9 \u4f60\u597d.txt": b"unicode\n",
                "demo/#hash;semi.txt": b"x\n",
                "demo/-dash": b"y\n",
                "demo/.hidden": b"z\n",
                "demo/deep/er/and/deeper/still/a.py": b"w\n",
                "top.pth": b"# nothing\n",
                "single.py": b"",
            }
        }
    ],
    "RECORD with Windows lines and without sizes": [
        {"record": lambda text: "\r\n".join(line.rpartition(",")[0] + "," for line in text.splitlines()) + "\r\n"}
    ],
    "signed RECORD": [{"dist_info_files": {"licenses/LICENSE.txt": b"free\n"}}],
    "spelling": [{"name": "My.Odd_Name", "version": "1!2.0.post3+local.7", "dist_info": None}],
    "two of a namespace": [
        {"name": "first", "files": {"space/first/__init__.py": b"a = 1\n", "space/shared.txt": b"same\n"}},
        {"name": "second", "files": {"space/second/__init__.py": b"a = 1\n", "space/shared.txt": b"same\n"}},
    ],
    "what only installers write": [{"dist_info_files": {"INSTALLER": b"builder\n", "REQUESTED": b""}}],
    "bytecode and caches": [{"files": {"demo/__init__.py": b"a = 1\n", "demo/__pycache__/x.cpython-312.pyc": b"old"}}],
}


@pytest.fixture(params=ODD)
def wheels(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    return [make_wheel(tmp_path / "wheels", **arguments) for arguments in ODD[request.param]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IndexServer]:
    (tmp_path / "wheels").mkdir(exist_ok=True)
    with IndexServer(tmp_path / "wheels") as server:
        yield server


@pytest.fixture
def make_pair(
    server: IndexServer, python: Interpreter, environ: dict[str, str], tmp_path: Path
) -> Callable[[Path], tuple[Path, Path]]:
    """A function that gives the environments which we and uv make of a lock."""
    index, ours, theirs = server.index_url, tmp_path / "ours", tmp_path / "theirs"
    command = StoreCommand(
        root=tmp_path, store=tmp_path / "store", python=python.executable, index_url=index, environ=environ
    )

    def make(lock: Path) -> tuple[Path, Path]:
        ran = command.sync(lock, venv=ours)
        assert (ran.status, ran.errors) == (0, []), ran.stderr
        for words in (
            ["venv", "--python", python.executable, str(theirs)],
            ["pip", "sync", str(lock), "--python", str(theirs), "--default-index", index],
        ):
            done = run([UV, *words], environ=environ)
            assert done.status == 0, done.stderr
        return ours, theirs

    return make


MakePair = Callable[[Path], tuple[Path, Path]]


def test_odd_wheels_come_out_as_with_uv(wheels: list[Path], make_pair: MakePair, tmp_path: Path) -> None:
    ours, theirs = make_pair(write_lock(tmp_path / "lock.txt", wheels))
    assert environment_content(ours) == environment_content(theirs)
    assert records(ours) == records(theirs)
    check_records(ours)


@pytest.mark.parametrize("local", [False, True])
def test_a_direct_reference_is_told_as_uv_tells_it(
    server: IndexServer, make_pair: MakePair, tmp_path: Path, local: bool
) -> None:
    wheel = make_wheel(tmp_path / "wheels")
    url = wheel.as_uri() if local else server.file_url(wheel.name)
    lock = tmp_path / "lock.txt"
    lock.write_text(f"demo @ {url} --hash=sha256:{sha256_of(wheel)}\n")
    paths = [next(one.glob("lib/*/site-packages/*.dist-info/direct_url.json")) for one in make_pair(lock)]
    ours, theirs = (json.loads(path.read_text()) for path in paths)
    assert ours["url"] == theirs["url"] == url
    assert ours["archive_info"]["hashes"] == {"sha256": sha256_of(wheel)}
    assert "direct_url.json,sha256=" in paths[0].with_name("RECORD").read_text()


def test_a_wheel_s_own_direct_reference_is_not_believed(make_pair: MakePair, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", dist_info_files={"direct_url.json": b'{"url": "file:///nowhere"}'})
    ours, _ = make_pair(write_lock(tmp_path / "lock.txt", [wheel]))
    assert list(ours.rglob("direct_url.json")) == []
    check_records(ours)
