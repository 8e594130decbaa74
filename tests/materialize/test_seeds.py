"""The wheels that come with a Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.interpreters import describe, every_python, facts_of

from wheelstore.materialize.seeds import bundled_pip, bundled_seeds


@every_python
def test_a_real_pythons_seeds_are_its_wheels(python: str) -> None:
    interpreter = facts_of(python)
    pip = bundled_pip(interpreter)
    if pip is None:
        pytest.skip(f"{python} comes without a pip wheel")
    assert Path(pip).is_file()
    names = [Path(path).name.partition("-")[0] for path in bundled_seeds(interpreter)]
    assert names == (["pip", "setuptools"] if interpreter.release < (3, 12) else ["pip"])


def test_the_newest_wheel_is_taken(tmp_path: Path) -> None:
    bundled = tmp_path / "ensurepip/_bundled"
    bundled.mkdir(parents=True)
    for name in ("pip-9.0-py3-none-any.whl", "pip-23.10-py3-none-any.whl", "pip-23.9-py3-none-any.whl", "pip-99.tar"):
        (bundled / name).touch()
    assert bundled_pip(describe(stdlib=str(tmp_path))) == str(bundled / "pip-23.10-py3-none-any.whl")


def test_a_distributions_own_directory_comes_first(tmp_path: Path) -> None:
    for name in ("ensurepip/_bundled/pip-24.0-py3-none-any.whl", "share/pip-23.0-py3-none-any.whl"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "ensurepip/_bundled/setuptools-65.0-py3-none-any.whl").touch()
    facts = {"stdlib": str(tmp_path), "wheel_pkg_dir": str(tmp_path / "share"), "version": "3.11.2"}
    assert [Path(path).name for path in bundled_seeds(describe(**facts))] == [
        "pip-23.0-py3-none-any.whl",
        "setuptools-65.0-py3-none-any.whl",
    ]
    assert len(bundled_seeds(describe(**{**facts, "version": "3.12.0"}))) == 1


def test_a_python_may_come_without(tmp_path: Path) -> None:
    assert bundled_pip(describe(stdlib=str(tmp_path))) is None
    assert bundled_seeds(describe(stdlib=str(tmp_path), version="3.9.1")) == ()
