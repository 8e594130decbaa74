"""Tell the facts of the Python that runs this, as one line of JSON.

A script, never imported: `probe` starts it with ``python -I``. It runs to the end on CPython
3.8 and newer, PyPy and GraalPy; on 3.6 and 3.7 it tells the version only; anything older cannot read it. The keys
are the attributes of `interpreter.Interpreter`, and ``running``, the executable that was really started.
"""

import importlib.util
import json
import os
import platform
import struct
import subprocess
import sys
import sysconfig

ANSWER = "wheelstore-probe:"
ROOT = os.path.join(os.sep, "wheelstore-prefix")


def markers() -> "dict[str, str]":
    """PEP 508's environment, without ``extra``."""
    version = sys.implementation.version
    release = "{}.{}.{}".format(*version[:3])
    if version.releaselevel != "final":
        release += version.releaselevel[0] + str(version.serial)
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": release,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def base_executable() -> str:
    """The interpreter outside any environment, by the name that its installation keeps across patch releases."""
    implementation = sys.implementation.name
    version = "{}.{}".format(*sys.version_info[:2])
    stems = ["python"] if implementation == "cpython" else [implementation, "python"]
    ends = [version + getattr(sys, "abiflags", ""), version, "3", ""]
    windows = os.name == "nt"
    directory = sys.base_prefix if windows else os.path.join(sys.base_prefix, "bin")
    names = [stem + end + (".exe" if windows else "") for stem in stems for end in (["", *ends] if windows else ends)]
    candidates = [path for path in (os.path.join(directory, name) for name in names) if os.path.isfile(path)]
    if candidates and sys.prefix != sys.base_prefix and not os.path.islink(sys.executable):
        return candidates[0]  # a venv made of copies, whose own idea of its base is a guess
    started = os.path.abspath(getattr(sys, "_base_executable", None) or sys.executable)
    for path in candidates:
        if os.path.realpath(path) == os.path.realpath(started):
            return path
    return started


def scheme() -> "dict[str, str]":
    """Where a venv of this Python keeps things, relative to its prefix, with ``/``."""
    name = "venv" if "venv" in sysconfig.get_scheme_names() else "nt" if os.name == "nt" else "posix_prefix"
    paths = sysconfig.get_paths(name, vars={"base": ROOT, "platbase": ROOT})
    found = {key: os.path.relpath(paths[key], ROOT) for key in ("purelib", "platlib", "scripts", "data")}
    found = {key: "" if path == "." else path.replace(os.sep, "/") for key, path in found.items()}
    if found["platlib"].startswith("lib64/"):  # in a venv, lib64 is a link to lib: one directory, one name
        found["platlib"] = "lib/" + found["platlib"][len("lib64/") :]
    found["include"] = "include/site/python{}.{}".format(*sys.version_info[:2])
    return found


def elf_loader(path: str) -> str:
    """The program interpreter that an ELF file asks for (PT_INTERP, elf(5)), or nothing."""
    with open(path, "rb") as file:
        header = file.read(64)
        if len(header) < 64 or header[:4] != b"\x7fELF":
            return ""
        wide, order = header[4] == 2, "<" if header[5] == 1 else ">"
        table = struct.unpack_from(order + ("Q" if wide else "I"), header, 32 if wide else 28)[0]
        size, count = struct.unpack_from(order + "HH", header, 54 if wide else 42)
        for index in range(count):
            file.seek(table + index * size)
            entry = file.read(size)
            if struct.unpack_from(order + "I", entry)[0] != 3:
                continue
            offset = struct.unpack_from(order + ("Q" if wide else "I"), entry, 8 if wide else 4)[0]
            length = struct.unpack_from(order + ("Q" if wide else "I"), entry, 32 if wide else 16)[0]
            file.seek(offset)
            return file.read(length).rstrip(b"\0").decode()
    return ""


def libc() -> str:
    """``glibc 2.36`` or ``musl 1.2``; nothing where wheels do not care."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        name = os.confstr("CS_GNU_LIBC_VERSION")
        if name:
            return name
    except (AttributeError, OSError, ValueError):
        pass
    try:
        loader = elf_loader(os.path.realpath(sys.executable))
        if "musl" not in loader:
            return ""
        told = subprocess.run([loader], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False).stderr.decode()
        return "musl " + ".".join(told.split("Version ")[1].split()[0].split(".")[:2])
    except (OSError, IndexError, ValueError, struct.error):
        return ""


def mac_version() -> str:
    """The release of macOS; an old SDK makes 11 and newer call themselves 10.16."""
    found = platform.mac_ver()[0]
    if found.startswith("10.16"):
        script = "import platform; print(platform.mac_ver()[0])"
        environ = dict(os.environ, SYSTEM_VERSION_COMPAT="0")
        found = subprocess.check_output([sys.executable, "-IS", "-c", script], env=environ).decode().strip()
    return found


def facts() -> "dict[str, object]":
    """Everything, as JSON will take it."""
    version = platform.python_version()
    if sys.version_info < (3, 8):  # noqa: UP036 (wheelstore's own Python is not meant)
        return {"version": version}
    variable = sysconfig.get_config_var
    debug = variable("Py_DEBUG")
    found: dict[str, object] = {
        "executable": base_executable(),
        "running": os.path.abspath(sys.executable),
        "version": version,
        "implementation": sys.implementation.name,
        "markers": markers(),
        "cache_tag": sys.implementation.cache_tag or "",
        "magic": importlib.util.MAGIC_NUMBER.hex(),
        "platform": sysconfig.get_platform(),
        "libc": libc(),
        "mac_version": mac_version(),
        "pointer_bits": struct.calcsize("P") * 8,
        "ext_suffix": variable("EXT_SUFFIX") or "",
        "soabi": variable("SOABI") or "",
        "debug": hasattr(sys, "gettotalrefcount") if debug is None else bool(debug),
        "gil_disabled": bool(variable("Py_GIL_DISABLED")),
        "prefix": sys.base_prefix,
        "stdlib": sysconfig.get_path("stdlib"),
        "wheel_pkg_dir": variable("WHEEL_PKG_DIR") or "",
    }
    found.update(scheme())
    return found


sys.stdout.write("\n" + ANSWER + json.dumps(facts()) + "\n")
