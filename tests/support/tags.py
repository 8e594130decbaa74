"""What the interpreters of this machine say of themselves, asked with packaging."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import packaging
import pytest

_SCRIPT = """
import json, os, platform, struct, sys, sysconfig
sys.path.insert(0, sys.argv[1])
from packaging import tags
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, OSError, ValueError):
    libc = ""
print(json.dumps({
    "facts": {
        "implementation": sys.implementation.name,
        "version": platform.python_version(),
        "platform": sysconfig.get_platform(),
        "machine": platform.machine(),
        "libc": libc,
        "pointer_bits": struct.calcsize("P") * 8,
        "ext_suffix": sysconfig.get_config_var("EXT_SUFFIX"),
        "debug": bool(sysconfig.get_config_var("Py_DEBUG")),
        "gil_disabled": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "mac_version": platform.mac_ver()[0],
    },
    "markers": {
        "implementation_name": sys.implementation.name,
        "implementation_version": ".".join(map(str, sys.implementation.version[:3])),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_system": platform.system(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    },
    "tags": [str(tag) for tag in tags.sys_tags()],
}))
"""


def interpreters() -> list[str]:
    """Every CPython and PyPy here that packaging runs in."""
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    found = [str(path) for root in roots if root.is_dir() for path in sorted(root.glob("*/bin/python3"))]
    found += [path for name in ("python3", "pypy3") if (path := shutil.which(name))]
    return list({os.path.realpath(path): path for path in found}.values())


class Told(NamedTuple):
    """The arguments of `tags_of`, the markers without the kernel's version, and the tags."""

    facts: dict[str, Any]
    markers: dict[str, str]
    tags: tuple[str, ...]


def ask(executable: str, directory: Path) -> Told:
    """Run packaging inside an interpreter; skip the test if it is too new for that."""
    shutil.copytree(Path(packaging.__file__).parent, directory / "packaging")
    answer = subprocess.run(
        [executable, "-I", "-c", _SCRIPT, str(directory)], check=False, capture_output=True, text=True
    )
    if answer.returncode:
        pytest.skip("packaging does not run in this interpreter")
    told = json.loads(answer.stdout)
    return Told(told["facts"], told["markers"], tuple(dict.fromkeys(told["tags"])))
