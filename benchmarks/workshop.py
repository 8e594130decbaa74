"""The scratch directory of a run: tools, locks, a recorded index, caches, targets.

    WORK/tools-X.Y/   venv with uv, pip and this checkout's wheelstore       kept with --work
    WORK/lockers-X.Y/ venvs with pip-tools, Poetry and PDM, of the target    kept with --work
    WORK/index/       recorded pages and files (`recording`)                 kept with --work
    WORK/run-ID/      locks, home, caches, targets                           deleted when all is measured
    WORK/run-ID/on/X/ the same on a filesystem of its own                    (`mounts`)

All but that is on one filesystem. Nothing is deleted before the last measurement: ext4 makes directories
slowly for about a minute after a large removal.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.mounts import mounted

ROOT = Path(__file__).resolve().parents[1]
LOCKS = (ROOT / "examples", ROOT / "benchmarks")
LOCKERS = {
    "pip-compile": ("pip-tools",),
    "poetry": ("poetry",),
    "pdm": ("pdm[locked]",),  # as its makers tested it: PDM 2.29 takes newer ones, and fails with them
}
TARGET_VERSIONS = ("3.12", "3.13", "3.11", "3.14")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Absolute paths of what is compared, and of the interpreter they make environments for."""

    store: str
    uv: str
    pip: str
    python: str
    minor: tuple[int, int]
    lockers: Path


@dataclass(slots=True, kw_only=True)
class Workshop:
    """Where one run happens."""

    run: Path
    tools: Tools
    index: Path = Path()
    index_url: str = ""
    mounts: ExitStack = field(default_factory=ExitStack)
    _others: dict[str, Workshop] = field(default_factory=dict)
    _targets: Iterator[int] = field(default_factory=itertools.count)

    def lock(self, stem: str) -> Path:
        """A copy of an example lock (or of one made for this run)."""
        return self.run / "locks" / f"{stem}.txt"

    def requirements(self, stem: str) -> Path:
        """A copy of the input of an example lock."""
        return self.run / "locks" / f"{stem}.in"

    def peer(self, name: str) -> str:
        """The command of a tool that makes locks (`LOCKERS`); it is installed when it is first asked for."""
        home = self.tools.lockers / name
        if not (home / "bin" / name).is_file():
            # Under the Python that the locks are for: pip-compile asks its own.
            subprocess.run([self.tools.python, "-m", "venv", "--clear", str(home)], check=True)
            install(home / "bin", "--upgrade", "pip", *LOCKERS[name])
        return str(home / "bin" / name)

    def cache(self, name: str) -> Path:
        """A tool's cache or store: "uv-warm" and the like. Not created here."""
        return self.run / "caches" / name

    def fresh(self, label: str) -> Path:
        """A path for an environment that no other round has used."""
        return self.run / "targets" / f"{next(self._targets):04}-{label}"

    def on(self, kind: str) -> Workshop:
        """A workshop of the same tools and locks on a filesystem of its own: "btrfs" or "ext4".

        It is made when it is first asked for, and goes with this one.

        Raises:
            Unavailable: this machine cannot have one.
        """
        if kind not in self._others:
            place = self.mounts.enter_context(mounted(kind, self.run / "on"))
            self._others[kind] = Workshop(run=furnish(place), tools=self.tools)
        other = self._others[kind]
        for lock in (self.run / "locks").iterdir():
            shutil.copy(lock, other.run / "locks")
        other.index_url = self.index_url
        return other

    def environment(self, *, uv: Path, store: Path, pip: Path, **more: str) -> Mapping[str, str]:
        """All variables that a contender's command sees."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.run / "home"),
            "TMPDIR": str(self.run / "tmp"),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PIP_CACHE_DIR": str(pip),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_INDEX_URL": self.index_url,
            "STORE_DIR": str(store),
            "UV_CACHE_DIR": str(uv),
            "UV_DEFAULT_INDEX": self.index_url,
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            **more,
        }


@contextmanager
def open_workshop(work: Path | None, python: str | None) -> Iterator[Workshop]:
    """Set up the scratch directory; remove what need not be kept at the end."""
    directory = work or Path(tempfile.mkdtemp(prefix="wheelstore-benchmarks-"))
    directory.mkdir(parents=True, exist_ok=True)
    run = Path(tempfile.mkdtemp(prefix="run-", dir=directory))
    try:
        with ExitStack() as mounts:
            furnish(run)
            yield Workshop(run=run, tools=install_tools(directory, find_target(python)), mounts=mounts)
    finally:
        remove(run if work else directory)


def furnish(run: Path) -> Path:
    """Make the directories and the locks of a workshop."""
    for name in ("locks", "home", "caches", "targets", "tmp"):
        (run / name).mkdir()
    for directory in LOCKS:
        for file in (*directory.glob("*.txt"), *directory.glob("*.in")):
            shutil.copy(file, run / "locks")
    return run


def remove(directory: Path) -> None:
    """Remove a tree, the read-only directories of images too; what cannot be removed stays."""
    for place, names, _files in os.walk(directory):
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                with suppress(OSError):
                    os.chmod(path, 0o700)
    shutil.rmtree(directory, ignore_errors=True)


def install_tools(directory: Path, python: str) -> Tools:
    """Install the peers, and wheelstore as a user would: from a wheel of this checkout."""
    home = directory / "tools-{}.{}".format(*sys.version_info[:2])
    scripts = home / "bin"
    if not (scripts / "uv").is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        install(scripts, "--upgrade", "pip", "uv")
    install(scripts, str(ROOT))
    script = "import sys; print(*sys.version_info[:2])"
    major, minor = map(int, subprocess.run([python, "-c", script], check=True, capture_output=True).stdout.split())
    return Tools(
        store=str(scripts / "store"),
        uv=str(scripts / "uv"),
        pip=str(scripts / "pip"),
        python=python,
        minor=(major, minor),
        lockers=directory / f"lockers-{major}.{minor}",
    )


def install(scripts: Path, *arguments: str) -> None:
    """Install with the tools' own pip, from the index that it is configured for."""
    command = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True)


def find_target(request: str | None) -> str:
    """The real executable (no venv's, no shim) of the Python that environments are made for."""
    if request:
        return real_executable(request)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in TARGET_VERSIONS:
        for candidate in (f"python{version}", *sorted(map(str, pyenv.glob(f"{version}.*/bin/python3")))):
            try:
                return real_executable(candidate)
            except (OSError, subprocess.CalledProcessError):
                continue  # not installed, or a shim that refuses
    return real_executable(sys.executable)


def real_executable(python: str) -> str:
    """Ask an interpreter where its base is."""
    script = "import sys; print(getattr(sys, '_base_executable', sys.executable))"
    answer = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def configured_index(tools: Tools) -> str:
    """The index that pip is configured for, else the default one as wheelstore finds it."""
    configured = os.environ.get("PIP_INDEX_URL")
    if not configured:
        command = [tools.pip, "config", "get", "global.index-url"]
        configured = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if not configured:
        script = (
            "import distlib.index, urllib.parse;print(urllib.parse.urljoin(distlib.index.DEFAULT_INDEX, '/simple/'))"
        )
        python = str(Path(tools.pip).with_name("python"))
        answer = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True)
        configured = answer.stdout.strip()
    return configured


@contextmanager
def serving(index: Path, upstream: str | None = None) -> Iterator[str]:
    """Run the loopback index as a process of its own; its address."""
    command = [sys.executable, "-m", "benchmarks.index_server", str(index)]
    if upstream:
        command += ["--upstream", upstream]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        address = process.stdout.readline().strip()
        if not address:
            message = "the loopback index did not start"
            raise RuntimeError(message)
        try:
            yield address
        finally:
            process.stdin.close()


def project_page(index_url: str, project: str) -> dict[str, list[dict[str, object]]]:
    """A project's page as the loopback index serves it."""
    with urllib.request.urlopen(f"{index_url}{project}/") as reply:
        page: dict[str, list[dict[str, object]]] = json.load(reply)
    return page
