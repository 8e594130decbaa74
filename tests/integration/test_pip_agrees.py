"""`store lock` and pip's own resolver, asked the same things of the same index, choose the same versions."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.commands import run, store_script
from support.projects import make_project, pack
from support.repositories import Repository
from support.servers import IndexServer
from support.simple_pages import list_files
from support.wheels import make_wheel

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?:==| @ )(\S+)", re.MULTILINE)
_DIRECTORY = re.compile(r"^[./]\S*/project", re.MULTILINE)
_STATIC = """
[project]
name = "{name}"
version = "1.0"
dependencies = ["left"]

[project.optional-dependencies]
more = ["speed<1.1"]
"""
_MORE = """
METADATA += "Provides-Extra: more\\nRequires-Dist: speed<1.1; extra == 'more'\\n"
"""

# What is asked for; each word is a line. {url} and {here} are where there are things.
ASKED = {
    "a project with dependencies": "web",
    "several projects": "web right speed",
    "a range": "left>=1,<2,!=1.5",
    "a compatible release": "left~=1.0",
    "a wildcard": "left==1.*",
    "an exact spelling": "left===1.5",
    "an extra": "web[fast]",
    "an extra that asks for extras of its own project": "web[all]",
    "markers": "windowsonly;sys_platform=='win32' left;python_version>='3' speed;implementation_name=='none'",
    "a constraint": "web -c{here}/constraints.txt",
    "a version that nothing else fits": "right left<2",
    "the newest version asks for what there is not": "right",
    "older versions, some steps away": "deep left<1.5",
    "a cycle": "cycle-a",
    "no pre-release": "future",
    "a pre-release that is asked for": "future>=2.0rc1",
    "nothing but pre-releases": "nightly",
    "pre-releases of all": "future nightly --pre",
    "a version that wants another Python": "newpython",
    "a version with wheels for others only": "elsewhere",
    "a version that is yanked": "yanked",
    "a yanked version that is pinned": "yanked==1.1",
    "local versions": "local",
    "epochs": "epoch",
    "another spelling": "Dotted_Name",
    "a wheel's address": "{url}/speed-1.0-py3-none-any.whl web[fast]",
    "a named wheel's address": "speed@{url}/speed-1.0-py3-none-any.whl",
    "a directory of a project": "{here}/project",
    "an extra of a directory": "{here}/project[more]",
    "a git repository": "git+file://{here}/repository",
    "an sdist, as there is no wheel": "sourced",
    "an sdist, by request": "both --no-binary=both",
    "only wheels": "sourced --only-binary=:all:",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks both."""

    server: IndexServer
    here: Path
    environ: Mapping[str, str]

    def write(self, path: Path, asked: str) -> Path:
        """A requirements file."""
        path.write_text("".join(f"{line}\n" for line in self.filled(asked).split(" ")))
        return path

    def filled(self, asked: str) -> str:
        """What is asked for, with the places of this test."""
        return asked.format(url=self.server.url + "/files", here=self.here)

    def pip(self, requirements: Path) -> dict[str, str]:
        """Versions by name, and addresses of what has one."""
        words = ["install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-", "-r", str(requirements)]
        ran = run(
            [sys.executable, "-m", "pip", *words, "--index-url", self.server.index_url],
            environ=self.environ,
            cwd=self.here,
        )
        assert ran.status == 0, ran.stderr
        return {
            _normal(one["metadata"]["name"]): "direct" if one.get("is_direct") else one["metadata"]["version"]
            for one in json.loads(ran.stdout)["install"]
        }

    def store(self, requirements: Path) -> dict[str, str]:
        """The same out of a lock."""
        words = [*("--python", sys.executable), *("--store", str(self.here / "store")), "--no-hashes", "--no-annotate"]
        ran = run(
            [store_script(), "lock", str(requirements), *words, "--index-url", self.server.index_url],
            environ=self.environ,
            cwd=self.here,
        )
        assert ran.status == 0, ran.stderr
        pins = {_normal(name): "direct" if "/" in version else version for name, version in _PIN.findall(ran.stdout)}
        return pins | ({"demo": "direct"} if _DIRECTORY.search(ran.stdout) else {})


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory, environ: dict[str, str]) -> Iterator[Asker]:
    """An index, a project and a repository."""
    here = tmp_path_factory.mktemp("asked")
    (here / "wheels").mkdir()
    _stock(here / "wheels", here)
    (here / "constraints.txt").write_text("left<1.9\nspeed<1\n")
    make_project(here / "project", extra=_MORE, pyproject=_STATIC.format(name="demo"))
    repository = Repository(here / "repository")
    make_project(repository.path, extra=_MORE, pyproject=_STATIC.format(name="demo"))
    repository.commit("three")
    variables = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    list_files(here / "wheels")  # read now, not by several requests at once
    with IndexServer(here / "wheels") as server:
        server.yank("yanked-1.1-py3-none-any.whl")
        yield Asker(server=server, here=here, environ={**environ, **variables})


def _stock(wheels: Path, here: Path) -> None:
    def make(name: str, *versions: str, requires: tuple[str, ...] = (), **more: str) -> None:
        for version in versions:
            make_wheel(wheels, name, version, requires=requires, **more)  # type: ignore[arg-type]

    make("left", "1.0", "1.5", "1.6", "2.0")
    make("speed", "0.9", "1.0", "1.1")
    make("right", "1.0", requires=("left<2",))
    make("right", "2.0", requires=("left>=2",))
    make("right", "3.0", requires=("left>=3",))
    extras = "Provides-Extra: fast\nProvides-Extra: all\n"
    extras += "Requires-Dist: speed; extra == 'fast'\nRequires-Dist: web[fast]; extra == 'all'\n"
    extras += "Requires-Dist: right; extra == 'all'\n"
    make("web", "1.0", requires=("left>=1.5", "windowsonly; sys_platform == 'win32'"), metadata_extra=extras)
    make("windowsonly", "1.0")
    for number in range(1, 6):  # only the first of each fits an old left
        make("deep", f"{number}.0", requires=(f"middle=={number}.0",))
        make("middle", f"{number}.0", requires=(f"left>=1.{number - 1}",))
    make("cycle-a", "1.0", requires=("cycle-b",))
    make("cycle-b", "1.0", requires=("cycle-a[loop]",))
    make("future", "1.0", "2.0.dev1", "2.0rc1")
    make("nightly", "0.1a1", "0.1a2")
    make("newpython", "1.0")
    make("newpython", "2.0", requires_python=">=4")
    make("elsewhere", "1.0")
    make("elsewhere", "2.0", tag="cp27-cp27m-win32")
    make("yanked", "1.0", "1.1")
    make("local", "1.0", "1.0+ours")
    make("epoch", "1!1.0", "2.0")
    make("Dotted.Name", "1.0")
    make("both", "1.0")
    make("both", "1.1", requires=("left",))
    make("sourced", "0.9")
    for name, version in (("both", "1.1"), ("sourced", "1.0")):
        tree = make_project(here / f"tree-{name}", name, version)
        (tree / "PKG-INFO").write_text(
            f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\nRequires-Dist: left\n"
        )
        pack(tree, wheels / f"{name}-{version}.tar.gz", top=f"{name}-{version}")


@pytest.mark.parametrize("asked", ASKED)
def test_the_same_versions_as_pip(asker: Asker, asked: str, tmp_path: Path) -> None:
    requirements = asker.write(tmp_path / "requirements.in", ASKED[asked])
    theirs = asker.pip(requirements)
    ours = asker.store(requirements)
    assert ours == theirs
