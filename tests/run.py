"""Run every check of the project: `python3 tests/run.py`.

Nothing but Python 3.11 or newer is needed: each interpreter gets its own `.test-venv-X.Y/` in the
checkout with the project (editable) and its dev group. The linters and type checks run once, under the
interpreter that runs this script; the tests run under it and then under every other supported Python
that is installed (on PATH, or below PYENV_ROOT), there without tests/integration, which is about the
environments that the command makes, and makes them for every Python itself, without tests/faults,
which stops commands at every effect, the same with any Python, and without tests that go through all
Pythons themselves. Those between the oldest and the newest run only tests/cli, which goes through all rooms. The
first failure ends the run with its exit code.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
)
BETWEEN = ("tests/cli",)
OTHERS = ("--ignore=tests/integration", "--ignore=tests/faults", "-m", "not every_python")


def main() -> int:
    """Run the checks and the tests; return the process's exit code."""
    options = parse_options()
    if sys.version_info < OLDEST:
        return refuse(f"the project needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    interpreters = options.python or [sys.executable, *other_interpreters()]
    try:
        for number, interpreter in enumerate(interpreters):
            version = version_of(interpreter)
            if version is None:
                return refuse(f"{interpreter} does not run")
            scripts = prepare(interpreter, version)
            if number == 0 and not options.tests_only:
                for name, *arguments in CHECKS:
                    run(" ".join((name, *arguments)), str(scripts / name), *arguments)
            is_between = 0 < number < len(interpreters) - 1
            chosen = options.pytest or ((*OTHERS, *BETWEEN * is_between) if number else ())
            # A file's tests stay together, because what its fixtures made is dear.
            run(f"pytest, Python {version}", str(scripts / "pytest"), "-n", "auto", "--dist", "loadfile", *chosen)
    except subprocess.CalledProcessError as failure:
        print(f"error: {Path(failure.cmd[0]).name} failed with status {failure.returncode}", file=sys.stderr)
        return abs(failure.returncode)
    return 0


def refuse(reason: str) -> int:
    """Say why nothing can be run; the exit code for that."""
    print(f"error: {reason}", file=sys.stderr)
    return 2


def parse_options() -> argparse.Namespace:
    """Read the command line; what follows `--` goes to pytest."""
    parser = argparse.ArgumentParser(description="Run the project's linters, type checks and tests.")
    parser.add_argument("--python", action="append", metavar="PY", help="test under this interpreter only (repeatable)")
    parser.add_argument("--tests-only", action="store_true", help="skip the linters and type checks")
    parser.add_argument("pytest", nargs="*", metavar="-- ARGUMENT", help="arguments for pytest")
    return parser.parse_args()


def other_interpreters() -> list[str]:
    """Installed Pythons of the other supported versions, one of each, oldest first."""
    found = []
    for version in SUPPORTED:
        if version == "{}.{}".format(*sys.version_info[:2]):
            continue
        interpreter = next((path for path in candidates(version) if version_of(path) == version), None)
        if interpreter:
            found.append(interpreter)
    return found


def candidates(version: str) -> list[str]:
    """Where a Python of `version` ("3.12") may be; not all of them need to work."""
    on_path = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    installed = sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True)
    return [*([on_path] if on_path else []), *map(str, installed)]


def version_of(interpreter: str) -> str | None:
    """The "X.Y" that `interpreter` says it is; None if it doesn't run (a shim of pyenv may refuse)."""
    command = [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def prepare(interpreter: str, version: str) -> Path:
    """Make or refresh the environment of one interpreter; return its directory of scripts."""
    environment = ROOT / f".test-venv-{version}"
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    stamp = environment / "prepared-for"
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + interpreter.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return scripts
    python = str(scripts / "python")
    run(f"environment, Python {version}", interpreter, "-m", "venv", "--clear", str(environment))
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run([*install, "--upgrade", "pip>=25.1"], cwd=ROOT, check=True)
    subprocess.run([*install, "--editable", ".", "--group", "dev"], cwd=ROOT, check=True)
    stamp.write_text(wanted)
    return scripts


def run(title: str, *command: str) -> None:
    """Run one step under a heading.

    Raises:
        subprocess.CalledProcessError: the step failed (pytest's 5, "no tests ran", too).
    """
    print(f"\n==> {title}  [{time.strftime('%H:%M:%S')}]", flush=True)
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
