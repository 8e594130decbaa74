"""Put right what makes an environment a venv: its configuration, its interpreter's links, its activation scripts.

They name the environment's path, so they are wrong once it was moved; and they may be gone, or empty after a power cut.
"""

from __future__ import annotations

import os

from wheelstore.materialize.venv import plan_venv, read_venv

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wheelstore.materialize.interpreter import Interpreter

_CONFIG = "pyvenv.cfg"


def mend_venv(path: str, interpreter: Interpreter) -> int:
    """Make the venv at `path` what `write_venv` would; how many files and links that took.

    One that another tool made is left alone, unless nothing can be made of its configuration. What users may have
    changed (further keys of the configuration, an ignore file that they removed) stays.

    Raises:
        OSError: it cannot be written to.
    """
    config = read_venv(path)
    whole = config is not None and bool(config.home)
    if config is not None and whole and config.wheelstore is None:
        return 0
    plan = plan_venv(
        final=path,
        interpreter=interpreter,
        prompt=config.prompt if config else None,
        system_site_packages=config.system_site_packages if config else False,
        seeded=config.seeded if config else False,
    )
    for name in plan.directories:
        os.makedirs(f"{path}/{name}", exist_ok=True)
    mended = sum(_link(f"{path}/{name}", target) for name, target in plan.links)
    scripts = f"{interpreter.scripts}/"
    for name, content in plan.files:
        if not (
            whole if name == _CONFIG else _is_right(f"{path}/{name}", content if name.startswith(scripts) else None)
        ):
            _write(f"{path}/{name}", content)
            mended += 1
    return mended


def _is_right(path: str, content: bytes | None) -> bool:
    """Whether a file has its content; without one, whether it is not there at all, or has any."""
    try:
        with open(path, "rb") as stream:
            found = stream.read()
    except FileNotFoundError:
        return content is None
    return found == content if content is not None else bool(found)


def _link(path: str, target: str) -> bool:
    try:
        if os.readlink(path) == target:
            return False
    except FileNotFoundError:
        pass
    except OSError:  # no link, but something that someone put there
        return False
    new = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    os.symlink(target, new)
    os.replace(new, path)
    return True


def _write(path: str, content: bytes) -> None:
    new = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        with open(new, "xb") as stream:
            stream.write(content)
        os.replace(new, path)
    except BaseException:
        if os.path.lexists(new):
            os.unlink(new)
        raise
