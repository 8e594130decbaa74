"""Environments that no Python was started for, beside those that the standard `venv` makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.interpreters import describe, describe_windows, every_python, facts_of

from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.probe import probe
from wheelstore.materialize.seeds import bundled_pip
from wheelstore.materialize.venv import NoLauncher, UnusablePlace, plan_venv, read_venv, write_venv
from wheelstore.store.version import VERSION

_TELL = """
import json, site, sys, sysconfig
print(json.dumps({
    "prefix": sys.prefix, "base": sys.base_prefix, "executable": sys.executable, "path": sys.path,
    "sites": site.getsitepackages(), "paths": sysconfig.get_paths(), "user": site.ENABLE_USER_SITE,
}))
"""


def make(final: Path, interpreter: Interpreter, **options: object) -> Path:
    """Write an environment beside its place and rename it there."""
    temporary = final.with_name("being made")
    write_venv(str(temporary), final=str(final), interpreter=interpreter, **options)  # type: ignore[arg-type]
    temporary.rename(final)
    return final


def tell(environment: Path, name: str = "python") -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(subprocess.check_output([environment / "bin" / name, "-c", _TELL]))
    return answer


@every_python
def test_the_environments_python_starts_and_knows_where_it_is(python: str, tmp_path: Path) -> None:
    facts = facts_of(python)
    environment = make(tmp_path / "a venv", facts)
    told = tell(environment)
    assert told["prefix"] == str(environment)
    assert told["base"] == facts.prefix
    assert told["executable"] == str(environment / "bin/python")
    assert str(environment / facts.purelib) in told["sites"]
    assert str(environment / facts.purelib) in told["path"]
    assert not told["user"]
    assert facts == probe(str(environment / "bin/python"))


@every_python
def test_every_name_of_the_interpreter_starts_it(python: str, tmp_path: Path) -> None:
    environment = make(tmp_path / "venv", facts_of(python))
    names = [path.name for path in (environment / "bin").iterdir() if path.is_symlink()]
    assert {"python", "python3", "python{}.{}".format(*facts_of(python).release)} <= set(names)
    for name in names:
        assert tell(environment, name)["prefix"] == str(environment)


@every_python
def test_paths_are_those_of_the_standard_venv(python: str, tmp_path: Path) -> None:
    facts = facts_of(python)
    ours = make(tmp_path / "ours", facts)
    standard = tmp_path / "standard"
    subprocess.run([facts.executable, "-m", "venv", "--without-pip", str(standard)], check=True)

    def paths(environment: Path) -> dict[str, str]:
        return {key: path.replace(str(environment), "") for key, path in tell(environment)["paths"].items()}

    assert paths(ours) == paths(standard)
    for key in ("purelib", "platlib", "scripts", "data"):
        assert os.path.realpath(ours / getattr(facts, key)) == os.path.realpath(f"{ours}{paths(ours)[key]}")
    assert (ours / "lib64").is_symlink() == (standard / "lib64").is_symlink()
    links = {path.name for path in (standard / "bin").iterdir() if path.is_symlink()}
    assert links <= {path.name for path in (ours / "bin").iterdir() if path.is_symlink()}


@every_python
def test_pip_works_when_it_is_unpacked_there(python: str, tmp_path: Path) -> None:
    facts = facts_of(python)
    pip = bundled_pip(facts)
    if pip is None:
        pytest.skip(f"{python} comes without a pip wheel")
    environment = make(tmp_path / "venv", facts)
    with zipfile.ZipFile(pip) as wheel:
        wheel.extractall(environment / facts.purelib)
    told = subprocess.check_output([environment / "bin/python", "-m", "pip", "--version"], text=True)
    assert str(environment / facts.purelib) in told


def test_headers_go_where_pip_says(tmp_path: Path) -> None:
    facts = facts_of(sys.executable)
    pip = bundled_pip(facts)
    if pip is None:
        pytest.skip(f"{sys.executable} comes without a pip wheel")
    environment = make(tmp_path / "venv", facts)
    script = "from pip._internal.locations import get_scheme; print(get_scheme('demo').headers)"
    told = subprocess.check_output(
        [environment / "bin/python", "-c", script], env={**os.environ, "PYTHONPATH": pip}, text=True
    )
    assert told.strip() == str(environment / facts.include / "demo")


def test_system_packages_are_seen_when_asked_for(tmp_path: Path) -> None:
    facts = facts_of(sys.executable)
    seen = tell(make(tmp_path / "seen", facts, system_site_packages=True))["path"]
    unseen = tell(make(tmp_path / "unseen", facts))["path"]
    site = os.path.join(facts.prefix, facts.purelib)
    assert site in seen or not os.path.isdir(site)
    assert site not in unseen


@pytest.mark.parametrize("name", ["with space", "caf\u00e9", "it's", "a$HOME", 'quo"te', "back\\slash", "\U0001f40d"])
def test_any_name_works(name: str, tmp_path: Path) -> None:
    assert tell(make(tmp_path / name, facts_of(sys.executable)))["prefix"] == str(tmp_path / name)


def test_a_name_that_is_no_text_works(tmp_path: Path) -> None:
    final = tmp_path / os.fsdecode(b"odd \xff")
    make(final, facts_of(sys.executable))
    assert subprocess.check_output([final / "bin/python", "-c", "print(1)"]) == b"1\n"


@pytest.mark.parametrize("final", ["/a:b", "/a\nb", "/a\x7f"])
def test_a_place_where_no_environment_works_is_refused(final: str, tmp_path: Path) -> None:
    with pytest.raises(UnusablePlace) as caught:
        write_venv(str(tmp_path / "new"), final=final, interpreter=describe())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    write_venv(str(tmp_path), final="/x/.venv", interpreter=describe())
    assert (tmp_path / "pyvenv.cfg").is_file()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_venv(str(tmp_path), final="/x/.venv", interpreter=describe())
    with pytest.raises(FileExistsError):
        write_venv(str(tmp_path), final="/x/.venv", interpreter=describe())


def test_what_is_written_is_what_was_planned(tmp_path: Path) -> None:
    facts = describe()
    plan = plan_venv(final="/x/.venv", interpreter=facts)
    write_venv(str(tmp_path / "new"), final="/x/.venv", interpreter=facts)
    paths = [
        path for path in (tmp_path / "new").rglob("*") if "lib64" not in path.relative_to(tmp_path / "new").parts[:-1]
    ]
    found = {str(path.relative_to(tmp_path / "new")): path for path in paths}
    assert found.keys() == {*plan.directories, *dict(plan.files), *dict(plan.links)}
    assert {name: found[name].read_bytes() for name in dict(plan.files)} == dict(plan.files)
    assert {name: os.readlink(found[name]) for name in dict(plan.links)} == dict(plan.links)


def test_the_configuration_says_what_other_tools_read(tmp_path: Path) -> None:
    facts = describe()
    write_venv(str(tmp_path / "new"), final="/x/.venv", interpreter=facts, prompt="my  prompt", seeded=True)
    assert (tmp_path / "new/pyvenv.cfg").read_text().splitlines() == [
        "home = /opt/python/bin",
        "implementation = CPython",
        f"wheelstore = {VERSION}",
        "version_info = 3.12.1",
        "version = 3.12.1",
        "include-system-site-packages = false",
        "executable = /opt/python/bin/python3.12",
        "seed = true",
        "prompt = my  prompt",
    ]
    assert (tmp_path / "new/.gitignore").read_text() == "*\n"
    assert (tmp_path / "new/CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_the_configuration_is_read_back(tmp_path: Path) -> None:
    write_venv(str(tmp_path / "new"), final="/x", interpreter=describe(), prompt="p", system_site_packages=True)
    config = read_venv(str(tmp_path / "new"))
    assert config is not None
    assert (config.home, config.version, config.implementation) == ("/opt/python/bin", "3.12.1", "CPython")
    assert (config.prompt, config.system_site_packages, config.seeded, config.wheelstore) == ("p", True, False, VERSION)
    assert read_venv(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("text", "version", "prompt"),
    [
        ("version = 3.9.18\nprompt = 'x y'\n", "3.9.18", "x y"),
        ("Version_Info=3.10.1.final.0\nversion = 20.26.2\n", "3.10.1", None),
        ("garbage\n\n= 3\n\xff", "", None),
    ],
)
def test_other_tools_configurations_are_read(text: str, version: str, prompt: str | None, tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_bytes(text.encode("latin-1"))
    config = read_venv(str(tmp_path))
    assert config is not None
    assert (config.version, config.prompt, config.wheelstore) == (version, prompt, None)
    assert not config.system_site_packages


@given(st.text(max_size=30))
def test_no_prompt_breaks_the_configuration(prompt: str) -> None:
    plan = plan_venv(final="/x/.venv", interpreter=describe(), prompt=prompt)
    lines = dict(plan.files)["pyvenv.cfg"].decode("utf-8", "surrogateescape").split("\n")
    assert [line.partition(" = ")[0] for line in lines[:-1]].count("home") == 1
    assert len(lines) == 9 if prompt else 8


@pytest.mark.parametrize(
    ("facts", "names"),
    [
        ({}, {"python", "python3", "python3.12"}),
        (
            {"executable": "/opt/python/bin/python3.12d", "debug": True},
            {"python", "python3", "python3.12", "python3.12d"},
        ),
        (
            {"executable": "/x/python3.13", "version": "3.13.0", "gil_disabled": True},
            {"python", "python3", "python3.13", "python3.13t"},
        ),
        (
            {"executable": "/x/pypy3.10", "version": "3.10.14", "implementation": "pypy"},
            {"python", "python3", "python3.10", "pypy", "pypy3", "pypy3.10"},
        ),
    ],
)
def test_what_the_interpreter_is_called(facts: dict[str, object], names: set[str]) -> None:
    interpreter = describe(**facts)
    links = dict(plan_venv(final="/x", interpreter=interpreter).links)
    assert {name.removeprefix("bin/") for name in links if name != "lib64"} == names
    assert links["bin/python"] == interpreter.executable


@pytest.mark.parametrize(
    ("facts", "linked"),
    [({}, True), ({"pointer_bits": 32}, False), ({"markers": {"sys_platform": "darwin"}}, False)],
)
def test_lib64_is_where_the_standard_venv_has_it(facts: dict[str, object], linked: bool) -> None:
    assert ("lib64" in dict(plan_venv(final="/x", interpreter=describe(**facts)).links)) is linked


def test_two_library_directories_are_both_made() -> None:
    plan = plan_venv(final="/x", interpreter=describe(platlib="platform/python3.12/site-packages"))
    assert plan.directories == (
        "bin",
        "lib",
        "lib/python3.12",
        "lib/python3.12/site-packages",
        "platform",
        "platform/python3.12",
        "platform/python3.12/site-packages",
    )


@pytest.mark.parametrize("old", [True, False])
def test_windows_gets_the_launchers_of_its_base(old: bool, tmp_path: Path) -> None:
    names = ("python.exe", "pythonw.exe") if old else ("venvlauncher.exe", "venvwlauncher.exe")
    facts = describe_windows(stdlib=str(tmp_path / "Lib"))
    for name in names:
        (tmp_path / f"Lib\\venv\\scripts\\nt\\{name}").write_bytes(name.encode())
    write_venv(str(tmp_path / "new"), final=r"C:\work\.venv", interpreter=facts)
    assert (tmp_path / "new/Scripts/python.exe").read_bytes() == names[0].encode()
    assert (tmp_path / "new/Scripts/pythonw.exe").read_bytes() == names[1].encode()
    assert (tmp_path / "new/Lib/site-packages").is_dir()
    assert not any(path.is_symlink() for path in (tmp_path / "new").rglob("*"))
    config = read_venv(str(tmp_path / "new"))
    assert config is not None
    assert config.home == r"C:\Python312"


def test_free_threaded_windows_gets_its_own_launchers() -> None:
    facts = describe_windows(version="3.13.0", gil_disabled=True)
    copies = dict(plan_venv(final=r"C:\x", interpreter=facts).copies)
    assert copies["Scripts/python3.13t.exe"][0] == r"C:\Python312\Lib\venv\scripts\nt\venvlaunchert.exe"
    assert copies["Scripts/pythonw.exe"][0].endswith("venvwlaunchert.exe")


def test_a_windows_python_without_launchers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoLauncher, match="has no venv launcher"):
        write_venv(str(tmp_path / "new"), final=r"C:\x", interpreter=describe_windows(stdlib=str(tmp_path)))


def test_a_place_on_windows_may_have_a_drive_but_no_semicolon() -> None:
    plan = plan_venv(final="C:\\work\\my env\\", interpreter=describe_windows())
    assert b'VIRTUAL_ENV_PROMPT=my env"' in dict(plan.files)["Scripts/activate.bat"]
    with pytest.raises(UnusablePlace):
        plan_venv(final=r"C:\a;b", interpreter=describe_windows())
