"""Entry points: the scripts that a wheel asks for, and which names a script may have.

Entry points specification: https://packaging.python.org/specifications/entry-points/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from wheelstore.store.refusal import BadWheel, Rule

_GROUPS = {"console_scripts": False, "gui_scripts": True}
_REFERENCE = re.compile(r"([\w.]+)\s*:\s*([\w.]+)\s*(?:\[([^\[\]]*)\])?").fullmatch
# Interpreters and what a venv puts beside them, with or without the suffix of a Windows program.
_RESERVED = re.compile(
    r"(?:python(?:3(?:\.\d+t?)?)?w?|pypy(?:3(?:\.\d+)?)?w?|activate(?:\..*)?|deactivate(?:\.bat)?)(?:\.exe)?"
).fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """A script to generate: call `attribute` (dotted) of `module`; `gui` scripts have no console on Windows."""

    name: str
    module: str
    attribute: str
    extras: tuple[str, ...] = ()
    gui: bool = False


def parse_entry_points(text: bytes, entry: str = "entry_points.txt") -> tuple[EntryPoint, ...]:
    """The console and GUI scripts in an entry_points.txt; other groups are ignored. `entry` is for errors.

    Raises:
        BadWheel: the file is not UTF-8 or not such a file, or a script's name or reference is not acceptable.
    """
    try:
        lines = text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadWheel(entry, Rule.ENTRY_POINTS, "not UTF-8") from None
    found: dict[tuple[bool, str], EntryPoint] = {}
    for gui, line in _script_lines(lines):
        name, separator, reference = (part.strip() for part in line.partition("="))
        if not separator:
            raise BadWheel(entry, Rule.ENTRY_POINTS, repr(line))
        point = _entry_point(entry, name, reference, gui=gui)
        if found.setdefault((gui, name), point) != point:
            raise BadWheel(entry, Rule.ENTRY_POINTS, f"{name!r} is there twice")
    return tuple(found.values())


def check_script_name(entry: str, name: str) -> None:
    """Refuse a script's name that leaves the scripts directory or takes an interpreter's or a venv script's place.

    Only whole names are reserved, in any case of letters: `activate-global-python-argcomplete` is ordinary.

    Raises:
        BadWheel: naming `entry`, the archive's.
    """
    if not name.strip(". ") or any(character in "/\\:" or not character.isprintable() for character in name):
        raise BadWheel(entry, Rule.SCRIPT_NAME, repr(name))
    # Windows drops dots and spaces at the end.
    if _RESERVED(name.rstrip(". ").lower()):
        raise BadWheel(entry, Rule.SCRIPT_RESERVED, repr(name))


def _script_lines(lines: list[str]) -> Iterator[tuple[bool, str]]:
    """(is GUI, line) for each line in the two groups of scripts that says something."""
    gui = None
    for line in map(str.strip, lines):
        if line.startswith("[") and line.endswith("]"):
            gui = _GROUPS.get(line[1:-1].strip())
        elif line and gui is not None and not line.startswith(("#", ";")):
            yield gui, line


def _entry_point(entry: str, name: str, reference: str, *, gui: bool) -> EntryPoint:
    check_script_name(entry, name)
    match = _REFERENCE(reference)
    if match is None or not all(_is_dotted_name(match[part]) for part in (1, 2)):
        raise BadWheel(entry, Rule.ENTRY_POINT_REFERENCE, f"{name} = {reference!r}")
    extras = tuple(extra.strip() for extra in (match[3] or "").split(",") if extra.strip())
    return EntryPoint(name=name, module=match[1], attribute=match[2], extras=extras, gui=gui)


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
