"""What a source tree says of itself without being built: PKG-INFO of an sdist, or a static ``[project]`` table.

Sources: PEP 621 (the table), PEP 643 (``Dynamic`` and Metadata 2.2), PEP 517 (who builds it).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.metadata import BadMetadata, static_sdist_metadata
from wheelstore.resolve.pins import normalize

_NEEDED = ("name", "version", "dependencies", "optional-dependencies", "requires-python")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


class NotAProject(ResolveError):
    """A directory that holds nothing that could be built, or a pyproject.toml that cannot be read."""

    def __init__(self, tree: str, reason: str) -> None:
        super().__init__(tree, reason)
        self.tree, self.reason = tree, reason

    def __str__(self) -> str:
        return f"{self.tree} is not a Python project: {self.reason}"


def read_pyproject(tree: Path) -> Mapping[str, Any]:
    """The pyproject.toml of a source tree, empty if it has none.

    Raises:
        NotAProject: it cannot be read; or there is neither it nor a setup.py.
    """
    try:
        return tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))
    except FileNotFoundError:
        if not (tree / "setup.py").is_file():
            reason = "it has neither pyproject.toml nor setup.py" if tree.is_dir() else "it is no directory"
            raise NotAProject(str(tree), reason) from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NotAProject(str(tree), f"pyproject.toml: {error}") from None
    except OSError as error:
        raise NotAProject(str(tree), f"pyproject.toml: {error.strerror}") from None


def static_metadata(tree: Path, *, unpacked: bool = False) -> bytes | None:
    """METADATA as far as solving needs it, if no backend has a say in that; else None.

    An `unpacked` sdist may tell it in PKG-INFO, which in any other directory is something that was left there.

    Raises:
        NotAProject: there is nothing to build, or pyproject.toml cannot be read.
    """
    if unpacked:
        told = _package_information(tree)
        if told is not None:
            return told
    return _from_table(read_pyproject(tree))


def _package_information(tree: Path) -> bytes | None:
    try:
        content = (tree / "PKG-INFO").read_bytes()
    except OSError:
        return None
    try:
        return content if static_sdist_metadata(content) is not None else None
    except BadMetadata:
        return None  # the backend is to say what is wrong


def _from_table(pyproject: Mapping[str, Any]) -> bytes | None:
    project = pyproject.get("project")
    if not isinstance(project, dict) or not _is_static(project):
        return None
    if "poetry" in pyproject.get("tool", {}) and "dependencies" not in project:
        return None  # it may have them in a table of its own
    lines = ["Metadata-Version: 2.2", f"Name: {project['name']}", f"Version: {project['version']}"]
    if "requires-python" in project:
        lines.append(f"Requires-Python: {project['requires-python']}")
    try:
        lines += [f"Requires-Dist: {Requirement(text)}" for text in project.get("dependencies", [])]
        for extra, texts in project.get("optional-dependencies", {}).items():
            lines.append(f"Provides-Extra: {normalize(extra)}")
            lines += [f"Requires-Dist: {_for_extra(text, normalize(extra))}" for text in texts]
    except InvalidRequirement:
        return None  # the backend is to say what is wrong
    return ("\n".join(lines) + "\n").encode()


def _is_static(project: Mapping[str, Any]) -> bool:
    """Whether the table itself says all that is needed, in the right types."""
    dynamic = project.get("dynamic", [])
    name, version, python = project.get("name"), project.get("version"), project.get("requires-python", "")
    extras = project.get("optional-dependencies", {})
    return (
        isinstance(dynamic, list)
        and not any(field in dynamic for field in _NEEDED)
        and isinstance(name, str)
        and _NAME.fullmatch(name) is not None
        and isinstance(version, str)
        and _is_version(version)
        and isinstance(python, str)
        and "\n" not in python
        and _is_texts(project.get("dependencies", []))
        and isinstance(extras, dict)
        and all(_is_texts(texts) for texts in extras.values())
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _for_extra(text: str, extra: str) -> str:
    """A requirement that holds only where `extra` is asked for."""
    requirement = Requirement(text)
    marker, requirement.marker = requirement.marker, None
    condition = f'extra == "{extra}"'
    if marker is not None:
        condition = f"({marker}) and {condition}"
    return f"{requirement} ; {condition}" if requirement.url else f"{requirement}; {condition}"
