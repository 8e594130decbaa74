"""The wheels that come with a Python itself: pip, and setuptools before 3.12 (ensurepip)."""

from __future__ import annotations

import os

from wheelstore.materialize.discovery import natural_order
from wheelstore.materialize.interpreter import Interpreter

_SETUPTOOLS_UNTIL = (3, 11)


def bundled_pip(interpreter: Interpreter) -> str | None:
    """The path of the pip wheel that ensurepip would install; None where a distribution left it out."""
    return _bundled(interpreter, "pip")


def bundled_seeds(interpreter: Interpreter) -> tuple[str, ...]:
    """The wheels that `venv` would put into an environment: pip, before Python 3.12 also setuptools.

    Those that are missing are missing here.
    """
    names = ("pip", "setuptools") if interpreter.release <= _SETUPTOOLS_UNTIL else ("pip",)
    return tuple(path for path in (_bundled(interpreter, name) for name in names) if path)


def _bundled(interpreter: Interpreter, name: str) -> str | None:
    """The newest one, in the distribution's own directory first (``WHEEL_PKG_DIR``), as ensurepip looks."""
    for directory in (interpreter.wheel_pkg_dir, os.path.join(interpreter.stdlib, "ensurepip", "_bundled")):
        try:
            found = [file for file in os.listdir(directory) if file.startswith(f"{name}-") and file.endswith(".whl")]
        except OSError:
            continue
        if found:
            return os.path.join(directory, max(found, key=natural_order))
    return None
