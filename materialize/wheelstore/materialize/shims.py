"""What pyenv's shims lead to, without running one: a shim is a script that starts a dozen others, which takes 0.2 s.

Its answer depends on the directory and on variables, so it cannot be remembered; but it follows from two or three small
files (pyenv's ``version-name`` and ``which``). On the warm path.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def without_shims(search_path: Sequence[str], *, directory: str, chosen: str = "") -> list[str]:
    """The search path with each directory of shims replaced by those of the versions that are chosen in `directory`.

    `chosen` is what PYENV_VERSION says. What is chosen and not installed is left out, like the shim that would fail.
    """
    found: list[str] = []
    for path in search_path:
        root, name = os.path.split(path.rstrip(os.sep))
        if name == "shims" and os.path.isdir(f"{root}/versions"):
            found.extend(_chosen(root, directory, chosen))
        else:
            found.append(path)
    return found


def _chosen(root: str, directory: str, chosen: str) -> Iterator[str]:
    versions = chosen.split(":") if chosen else _read(f"{root}/version") if (own := _local(directory)) is None else own
    for version in versions:
        installed = _installed(root, version) or _installed(root, version.removeprefix("python-"))
        if installed:
            yield f"{root}/versions/{installed}/bin"


def _local(directory: str) -> list[str] | None:
    """The versions that the nearest ``.python-version`` chooses; None if there is none."""
    while True:
        path = os.path.join(directory, ".python-version")
        if os.path.isfile(path):
            return _read(path)
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def _read(path: str) -> list[str]:
    """The first word of each line that is no remark."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            lines = stream.read(4096).splitlines()
    except OSError:
        return []
    return [words[0] for line in lines if (words := line.split()) and not words[0].startswith("#")]


def _installed(root: str, version: str) -> str | None:
    """The installed version of this name, or the newest that begins so: ``3.12`` means the latest ``3.12.N``."""
    if not version or "/" in version or version in ("system", "..", "."):
        return None
    if os.path.isdir(f"{root}/versions/{version}"):
        return version
    from wheelstore.materialize.discovery import natural_order

    rest = len(version) + 1
    names = [name for name in os.listdir(f"{root}/versions") if name.startswith(f"{version}.")]
    released = [name for name in names if name[rest:].replace(".", "").isdigit()]
    return max(released, key=natural_order, default=None)
