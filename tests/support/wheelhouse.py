"""The wheels that a real lock means for one Python, downloaded once per machine.

They come from the index that pip is configured for, by pip itself, which checks the lock's hashes; a wheelhouse is
kept in the user's cache directory under a name that follows from what it holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.markers import Marker

from wheelstore.materialize.interpreter import Interpreter

EXAMPLES = Path(__file__).parents[2] / "examples"


def wheelhouse(lock: Path, python: Interpreter) -> Path:
    """A directory with exactly the wheels that `lock` means for `python`; downloaded if this machine lacks it."""
    pins = "".join(f"{pin}\n" for pin in pins_for(lock, python.markers))
    identity = "\n".join((pins, python.version, python.platform, python.libc))
    name = f"{lock.stem}-{python.version}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wheelstore-tests"
    caches.mkdir(parents=True, exist_ok=True)
    with alone(caches / f"{name}.lock"):
        if not (caches / name).is_dir():
            download(pins, python, partial=caches / f"{name}.part").rename(caches / name)
    return caches / name


def pins_for(lock: Path, markers: Mapping[str, str]) -> list[str]:
    """The lines of a lock that hold where `markers` do, without their own markers, each with all its hashes."""
    pins = []
    for line in lock.read_text().replace("\\\n", " ").splitlines():
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if text:
            requirement, *hashes = re.split(r"\s+--hash=", text)
            pin, _, marker = requirement.partition(";")
            if not marker or Marker(marker).evaluate({**markers, "extra": ""}):
                pins.append(" --hash=".join((pin.strip(), *hashes)))
    return pins


def download(pins: str, python: Interpreter, *, partial: Path) -> Path:
    """Let pip fetch the wheels of `pins` into `partial`, and return it. An interrupted download is gone on with."""
    partial.mkdir(exist_ok=True)
    requirements = partial.with_suffix(".txt")
    requirements.write_text(pins)
    command = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--python-version", python.version]
    subprocess.run([*command, "--requirement", str(requirements), "--dest", str(partial)], check=True)
    requirements.unlink()
    return partial


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process of this machine at a time is in here."""
    with path.open("a") as stream:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
