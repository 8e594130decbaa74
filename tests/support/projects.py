"""Source trees for tests, whose build backend is in them: no network, nothing to install."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

BACKEND = """
import os, sys

METADATA = "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\nRequires-Dist: left\\n"


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    directory = os.path.join(metadata_directory, "{name}-{version}.dist-info")
    os.mkdir(directory)
    with open(os.path.join(directory, "METADATA"), "w") as stream:
        stream.write(METADATA)
    return os.path.basename(directory)


def get_requires_for_build_wheel(config_settings=None):
    return {requires!r}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    import zipfile

    name = "{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as wheel:
        wheel.writestr("{name}-{version}.dist-info/METADATA", METADATA)
        wheel.writestr("{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\\n")
    return name
"""

BUILD_SYSTEM = """
[build-system]
requires = [{requires}]
build-backend = "backend"
backend-path = ["in-tree"]
"""


def make_project(
    directory: Path,
    name: str = "demo",
    version: str = "1.0",
    *,
    requires: str = "",
    more_requires: tuple[str, ...] = (),
    backend: str | None = None,
    extra: str = "",
    pyproject: str = "",
) -> Path:
    """Write a project into `directory`, with a backend in ``in-tree``.

    `requires` is the inside of a TOML list, `more_requires` what the hook asks for; `backend` replaces the backend's
    source, `extra` comes to its end; `pyproject` comes to the end of pyproject.toml.
    """
    (directory / "in-tree").mkdir(parents=True)
    if backend is None:
        backend = BACKEND.format(name=name, version=version, requires=list(more_requires))
    (directory / "in-tree" / "backend.py").write_text(backend + extra)
    (directory / "pyproject.toml").write_text(BUILD_SYSTEM.format(requires=requires) + pyproject)
    return directory


def pack(tree: Path, archive: Path, *, top: str = "demo-1.0") -> Path:
    """A tar.gz of a tree under the directory `top`."""
    content = {f"{top}/{path.relative_to(tree)}": path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    with tarfile.open(archive, "w:gz") as out:
        for name, body in sorted(content.items()):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            out.addfile(member, io.BytesIO(body))
    return archive
