"""Files of an environment go away, with what they leave behind; never by way of a link. On the warm path."""

from __future__ import annotations

import errno
import os

from wheelstore.materialize.directories import Directories

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def remove_files(root: str, targets: Iterable[str], *, keep: set[str]) -> None:
    """Remove files (relative to `root`), their bytecode, and the directories that this leaves empty, but for `keep`."""
    directories = Directories(root)
    emptied: set[str] = set()
    modules: dict[str, set[str]] = {}
    for target in targets:
        directory, _, name = target.rpartition("/")
        if directories.own(directory):
            if not unlink(f"{root}/{target}"):
                emptied.add(target)
            if name.endswith(".py"):
                modules.setdefault(f"{directory}/__pycache__".lstrip("/"), set()).add(name[:-3])
        emptied.add(directory)
    for cache, stems in modules.items():
        if directories.own(cache):
            remove_bytecode(f"{root}/{cache}", stems)
            emptied.add(cache)
    for directory in sorted(emptied, key=len, reverse=True):
        while directory and directory not in keep:
            parent = directory.rpartition("/")[0]
            try:
                if directories.own(parent):
                    os.rmdir(f"{root}/{directory}")
            except FileNotFoundError:
                pass
            except OSError:
                break
            directory = parent


def remove_hollow(directory: str) -> None:
    """Remove a directory that holds nothing but bytecode and other such directories."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                remove_hollow(entry.path)
            elif entry.name.endswith(".pyc"):
                os.unlink(entry.path)
    os.rmdir(directory)


def unlink(path: str) -> bool:
    """Remove a file if it is there; false if it is a directory."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return True
    except OSError as error:
        if os.path.isdir(path):
            return False
        if error.errno == errno.ENAMETOOLONG:  # someone lists what cannot be there
            return True
        if os.name != "nt" or error.errno != errno.EACCES:
            raise
        os.chmod(path, 0o600)  # Windows removes no read-only file
        os.unlink(path)
    return True


def remove_bytecode(cache: str, stems: set[str]) -> None:
    """Remove what was compiled from modules of these names, by whatever interpreter."""
    for name in os.listdir(cache):
        if name.endswith(".pyc"):
            words = name.split(".")
            if any(".".join(words[:count]) in stems for count in range(1, len(words))):
                unlink(f"{cache}/{name}")
