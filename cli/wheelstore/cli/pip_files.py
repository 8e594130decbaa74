"""The settings in pip's configuration files, found and merged as pip does it.

Pure: the environment, the directories and the reading of files are passed in. configparser is imported only
where there is a file to read.
"""

from __future__ import annotations

import ntpath
import posixpath
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import NamedTuple

from wheelstore.resolve.errors import ResolveError

ALIASES = {"default-timeout": "timeout", "pypi-url": "index-url"}
"""Options of pip that have two names."""


class Surroundings(NamedTuple):
    """What the settings are read from.

    ``prefix`` is the environment whose own pip.conf counts; ``platform`` is `sys.platform`'s value; ``read``
    gives a file's bytes, None where there is none.
    """

    environ: Mapping[str, str]
    home: str
    prefix: str
    platform: str
    cwd: str
    read: Callable[[str], bytes | None]


class ConfigurationError(ResolveError):
    """A setting that cannot be used; ``source`` is the file or the variable that has it."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source, self.reason = source, reason
        self.hint = f"correct it, or remove it from {source}"

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


class Setting(NamedTuple):
    """A setting, still text, and the file or variable that it is from."""

    value: str
    source: str


def configuration_files(around: Surroundings) -> tuple[str, ...]:
    """The places of pip's files, the least important first (pip's documentation, "Configuration Files")."""
    chosen = around.environ.get("PIP_CONFIG_FILE")
    if chosen in ("/dev/null", "nul"):
        return ()
    user = () if chosen and around.read(chosen) is not None else _user_files(around)
    own = (path_module(around).join(around.prefix, _basename(around)),)
    return (*_machine_files(around), *user, *own, *((chosen,) if chosen else ()))


def read_files(around: Surroundings) -> tuple[tuple[str, ...], dict[str, Setting]]:
    """Read and merge pip's files: later ones over earlier ones, then ``[install]`` over ``[global]``.

    Returns the files that there are, and the settings by name (lower case, dashes); empty ones say nothing.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    sections: dict[str, dict[str, Setting]] = {"global": {}, "install": {}}
    files = []
    for path in configuration_files(around):
        content = around.read(path)
        if content is None:
            continue
        files.append(path)
        for section, name, value in _parse(path, content):
            if section in sections:
                name = name.lower().replace("_", "-").removeprefix("--")
                sections[section][ALIASES.get(name, name)] = Setting(value, path)
    merged = {
        name: setting for section in sections.values() for name, setting in section.items() if setting.value.strip()
    }
    return tuple(files), merged


def _parse(path: str, content: bytes) -> list[tuple[str, str, str]]:
    from configparser import Error, RawConfigParser

    parser = RawConfigParser()
    try:
        parser.read_string(content.decode("utf-8-sig"), path)
    except UnicodeDecodeError:
        raise ConfigurationError(path, "it is not UTF-8") from None
    except Error as error:
        raise ConfigurationError(path, "it is no INI file: " + " ".join(str(error).split())) from None
    return [(section, *item) for section in parser.sections() for item in parser.items(section)]


def _machine_files(around: Surroundings) -> tuple[str, ...]:
    environ, name = around.environ, _basename(around)
    if around.platform == "win32":
        base = environ.get("PROGRAMDATA") or environ.get("ALLUSERSPROFILE") or "C:\\ProgramData"
        return (ntpath.join(base, "pip", name),)
    if around.platform == "darwin":
        return (f"/Library/Application Support/pip/{name}",)
    directories = [each for each in environ.get("XDG_CONFIG_DIRS", "").split(":") if each.startswith("/")]
    return (*(f"{each}/pip/{name}" for each in directories or ["/etc/xdg"]), f"/etc/{name}")


def _user_files(around: Surroundings) -> tuple[str, ...]:
    environ, name, home = around.environ, _basename(around), around.home
    if around.platform == "win32":
        roaming = environ.get("APPDATA") or ntpath.join(home, "AppData", "Roaming")
        return ntpath.join(home, "pip", name), ntpath.join(roaming, "pip", name)
    legacy = posixpath.join(home, ".pip", name)
    if around.platform == "darwin":
        support = posixpath.join(home, "Library/Application Support/pip", name)
        found = support if around.read(support) is not None else posixpath.join(home, ".config/pip", name)
        return legacy, found
    base = environ.get("XDG_CONFIG_HOME", "")
    return legacy, posixpath.join(base if base.startswith("/") else posixpath.join(home, ".config"), "pip", name)


def absolute_path(text: str, around: Surroundings) -> str:
    """A path as the platform means it, from the working directory or the home directory (``~``) on."""
    paths = path_module(around)
    if text == "~" or text.startswith(("~/", "~\\")):
        text = paths.join(around.home, text[2:])
    return str(paths.normpath(paths.join(around.cwd, text)))


def path_module(around: Surroundings) -> ModuleType:
    """The rules for paths of the platform."""
    return ntpath if around.platform == "win32" else posixpath


def _basename(around: Surroundings) -> str:
    return "pip.ini" if around.platform == "win32" else "pip.conf"
