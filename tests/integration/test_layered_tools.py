"""Tools of others in a layered environment: they find what is in the image, and put what they add before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from support.commands import UV, Ran, StoreCommand, run
from support.places import ServeLock
from support.trees import status_below
from support.wheels import make_wheel

from wheelstore.materialize.interpreter import Interpreter

LOCK = Path(__file__).parent / "locks" / "layered.txt"


class Layered:
    """A layered environment with the tools of the lock; `image` is its image's site-packages."""

    def __init__(self, root: Path, environ: dict[str, str]) -> None:
        self.root, self._environ = root, environ
        self.site = next(root.glob("lib/python*/site-packages"))
        self.image = Path((self.site / "_wheelstore-image.pth").read_text().strip())

    def run(self, program: str, *arguments: object, cwd: Path | None = None) -> Ran:
        """Run one of its programs."""
        return run([str(self.root / "bin" / program), *map(str, arguments)], environ=self._environ, cwd=cwd)

    def python(self, code: str) -> str:
        """What a piece of Python prints; it succeeds, and complains of nothing."""
        ran = self.run("python", "-W", "ignore", "-c", dedent(code))
        assert (ran.status, ran.stderr) == (0, "")
        return ran.stdout.strip()

    def uv(self, *arguments: object) -> Ran:
        """Run `uv pip` on it."""
        first, *others = map(str, arguments)
        python = str(self.root / "bin/python")
        return run([UV, "pip", first, "--python", python, "--offline", *others], environ=self._environ)


_OPTIONS = ("--link-mode", "layered", "--no-compile-bytecode")


@pytest.fixture(scope="module")
def command(
    tmp_path_factory: pytest.TempPathFactory,
    python: Interpreter,
    environ: dict[str, str],
    ordinary_store: Path,
    serve_lock: ServeLock,
) -> StoreCommand:
    """The command that makes the environment."""
    return StoreCommand(
        root=tmp_path_factory.mktemp("layered"),
        store=ordinary_store,
        python=python.executable,
        index_url=serve_lock(LOCK, python).index_url,
        environ=environ,
    )


@pytest.fixture
def layered(command: StoreCommand) -> Iterator[Layered]:
    """The environment, without what an earlier test put into it; what this one does to the image is found out."""
    venv = command.root / "venv"
    ran = command.sync(LOCK, venv=venv, options=_OPTIONS)
    assert (ran.status, ran.errors) == (0, [])
    found = Layered(venv, dict(command.environ))
    before = status_below(found.image)
    yield found
    assert status_below(found.image) == before


def test_nothing_of_the_wheels_is_in_site_packages(layered: Layered) -> None:
    names = sorted(path.name for path in layered.site.iterdir())
    assert all(name.startswith("_wheelstore-") for name in names)
    assert names[0] == "_wheelstore-image.pth"  # `site` goes by names, and others ask for what the image has


def test_pip_lists_all_and_finds_it_consistent(layered: Layered) -> None:
    listed = json.loads(layered.run("pip", "list", "--format", "json").stdout)
    assert len(listed) == LOCK.read_text().count("==")
    assert layered.run("pip", "check").status == 0


def test_pip_does_not_uninstall_from_the_image(layered: Layered) -> None:
    ran = layered.run("pip", "uninstall", "-y", "attrs")
    assert "outside environment" in ran.stdout + ran.stderr
    assert layered.python("import attrs; print(attrs.__file__)").startswith(str(layered.image))


def test_what_pip_installs_shadows_the_image_until_the_next_sync(
    layered: Layered, command: StoreCommand, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "attrs", "1.0", files={"attrs/__init__.py": b"mine = True\n"})
    assert layered.run("pip", "install", "-q", "--no-index", "--no-deps", wheel).status == 0
    assert layered.python("import attrs; print(attrs.mine)") == "True"
    assert layered.run("pip", "uninstall", "-y", "attrs").status == 0
    assert layered.python("import attrs; print(attrs.__file__)").startswith(str(layered.image))
    assert layered.run("pip", "install", "-q", "--no-index", "--no-deps", wheel).status == 0
    ran = command.sync(LOCK, venv=layered.root, options=_OPTIONS)
    assert (ran.status, " - attrs==1.0" in ran.stderr) == (0, True)
    assert layered.python("import attrs; print(attrs.__file__)").startswith(str(layered.image))


def test_uv_sees_its_own_layer_only(layered: Layered, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "attrs", "1.0", files={"attrs/__init__.py": b"mine = True\n"})
    assert layered.uv("uninstall", "attrs").status == 0
    assert layered.uv("install", "--no-deps", wheel).status == 0
    assert layered.python("import attrs; print(attrs.mine)") == "True"
    listed = layered.uv("list", "--format", "json").stdout
    assert [one["name"] for one in json.loads(listed)] == ["attrs"]
    assert layered.uv("uninstall", "attrs").status == 0
    assert layered.python("import attrs; print(attrs.__file__)").startswith(str(layered.image))


@pytest.mark.parametrize(("checker", "options"), [("mypy", ["--no-incremental"]), ("pyright", [])])
def test_type_checkers_find_the_types_of_packages(
    layered: Layered, tmp_path: Path, checker: str, options: list[str]
) -> None:
    (tmp_path / "wrong.py").write_text("import attrs\n\nanswer: int = attrs.fields\nno = attrs.there_is_no_such\n")
    ran = layered.run(checker, *options, "wrong.py", cwd=tmp_path)
    assert ran.status == 1
    complaints = [line for line in ran.stdout.splitlines() if "error" in line]
    assert any("wrong.py:3" in line for line in complaints)
    assert any("wrong.py:4" in line for line in complaints)
    assert not any("wrong.py:1" in line for line in complaints)  # it is found, and typed


def test_pytest_and_coverage_run_and_measure(layered: Layered, tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("def double(n):\n    return 2 * n\n")
    (tmp_path / "test_module.py").write_text("import module\n\ndef test_it():\n    assert module.double(2) == 4\n")
    ran = layered.run("coverage", "run", "--source", ".", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert (ran.status, "1 passed" in ran.stdout) == (0, True)
    report = layered.run("coverage", "report", cwd=tmp_path).stdout
    assert "module.py" in report
    assert "100%" in report
    assert "site-packages" not in report  # without --source it would be: only a venv's own is known as others' code


def test_entry_points_are_programs_and_metadata(layered: Layered) -> None:
    assert layered.run("jsonschema", "--version").status == 0
    assert (
        layered.python("""
        from importlib.metadata import entry_points, files, version
        assert next(iter(entry_points(group="console_scripts", name="pytest"))).load()
        assert any(str(path) == "attrs/__init__.py" and path.locate().exists() for path in files("attrs"))
        print(version("pytest") != "")
    """)
        == "True"
    )


def test_resources_are_found(layered: Layered) -> None:
    assert layered.python("""
        import importlib.resources, pkg_resources
        text = importlib.resources.files("attr").joinpath("py.typed").read_text()
        assert pkg_resources.resource_exists("attr", "py.typed")
        assert pkg_resources.get_distribution("attrs").project_name == "attrs"
        print(pkg_resources.resource_filename("attr", "py.typed"))
    """) == str(layered.image / "attr/py.typed")


def test_an_extension_finds_the_library_of_another_wheel(layered: Layered) -> None:
    """PyMuPDF's extension looks for PyMuPDFb's library at a path relative to its own."""
    assert (
        layered.python("""
        import fitz
        document = fitz.open()
        document.new_page().insert_text((72, 72), "hello")
        print(document[0].get_text().strip())
        libraries = {line.split()[-1] for line in open("/proc/self/maps") if "libmupdf" in line}
        assert all(library.startswith(fitz.__file__.rpartition("/")[0]) for library in libraries) and libraries
    """)
        == "hello"
    )


def test_old_namespace_packages_are_made_by_lifted_files(layered: Layered) -> None:
    assert list(layered.site.glob("_wheelstore-lifted-zope.interface-*-nspkg.pth"))
    assert layered.python("""
        import zope, zope.interface, zope.event
        print(zope.interface.__file__)
    """) == str(layered.image / "zope/interface/__init__.py")


def test_a_namespace_package_is_in_both_layers(command: StoreCommand, tmp_path: Path) -> None:
    one = make_wheel(tmp_path, "spam-one", files={"spam/one.py": b""})
    two = make_wheel(tmp_path, "spam-two", files={"spam/two.py": b""})
    lock = tmp_path / "lock.txt"
    lock.write_text(f"spam-one @ {one.as_uri()}\n")
    assert command.sync(lock, venv=tmp_path / "venv", options=_OPTIONS).status == 0
    layered = Layered(tmp_path / "venv", dict(command.environ))
    assert layered.uv("install", "--no-deps", two).status == 0
    assert layered.python("import spam.one, spam.two; print(len(spam.__path__))") == "2"


def test_setuptools_replaces_distutils(layered: Layered) -> None:
    """What its `.pth` file asks for is in the image, which must be on the path by then."""
    assert layered.python("import distutils; print(distutils.__file__)").startswith(str(layered.image / "setuptools"))


def test_site_complains_of_nothing(layered: Layered) -> None:
    ran = layered.run("python", "-v", "-c", "pass")
    assert "Error processing line" not in ran.stderr


def test_isolated_and_unsafe_starts_see_the_same(layered: Layered) -> None:
    for options in (["-B", "-I"], ["-s"], ["-O"], ["-B", "-E"]):
        assert layered.run("python", *options, "-c", "import attrs, pytest").status == 0
