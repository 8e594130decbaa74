"""One line of a requirements file, read the long way: its requirement, its options, what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from wheelstore.resolve.pins import Position, checked_hash
from wheelstore.resolve.requirement import BadRequirement, Requirement, parse_requirement
from wheelstore.resolve.requirements_lines import split_options
from wheelstore.resolve.requirements_options import (
    FORMAT_OPTIONS,
    REQUIREMENT_OPTIONS,
    BadOption,
    Option,
    parse_options,
)

_EDITABLE = re.compile(r"(?:-e\s*|--editable(?:\s*=\s*|\s+))(?=[^\s=])")
_ORPHAN_HINT = "a comment line ends the line above it, even behind a backslash"


class Flaw(NamedTuple):
    """Something wrong with a line; `word` is the part that is, or the empty string."""

    message: str
    word: str = ""
    hint: str | None = None


class Statement(NamedTuple):
    """What a line says: one requirement, or options for the whole lock, or both.

    `hashed` tells whether it has a `--hash`, sound or not. A line with flaws says nothing else.
    """

    requirement: Requirement | None = None
    options: tuple[Option, ...] = ()
    hashed: bool = False
    flaws: tuple[Flaw, ...] = ()


def parse_statement(
    text: str, *, directory: Path, constraint: bool, position: Position, pinned: bool = True
) -> Statement:
    """Read an expanded logical line; relative paths of requirements start at `directory`.

    `constraint` tells that the file was included with `-c`, which forbids some lines; `pinned` is as in
    `parse_requirement`.
    """
    flaws: list[Flaw] = []
    requirement: Requirement | None = None
    shared: tuple[Option, ...] = ()
    try:
        required, options, editable = _split(text)
        if required:
            own, shared = _sorted_options(options)
            hashes = _hashes(own, flaws)
            requirement = parse_requirement(
                required,
                directory=directory,
                editable=editable,
                hashes=hashes,
                config_settings=_config_settings(own),
                position=position,
                pinned=pinned,
            )
            if constraint and (editable or requirement.pin.extras):
                raise BadRequirement(f"a constraint cannot {'be editable' if editable else 'have extras'}")
        else:
            shared = _lock_options(options)
    except BadOption as error:
        flaws.append(Flaw(str(error), error.word, error.hint))
    except BadRequirement as error:
        flaws.append(Flaw(str(error), hint=error.hint))
    hashed = "--hash" in text
    if flaws:
        return Statement(hashed=hashed, flaws=tuple(flaws))
    return Statement(requirement=requirement, options=shared, hashed=hashed)


def _split(text: str) -> tuple[str, list[Option], bool]:
    """Return the requirement ("" if none), the options, and whether the requirement is editable."""
    match = _EDITABLE.match(text)
    required, option_text = split_options(text[match.end() :] if match else text)
    options, words = parse_options(option_text)
    if words:
        raise BadOption(f"unexpected {words[0]!r} behind {option_text.split()[0]}", words[0])
    if match:
        return _unquoted(required), options, True
    late = next((option for option in options if option.name == "editable"), None)
    if late is None or required:
        return required, options, False
    options.remove(late)
    return late.value, options, True


def _unquoted(text: str) -> str:
    """Return what stands behind `-e` without the shell's quotes around the reference.

    A backslash is not the shell's here, so that `-e C:\\project` means what it says.
    """
    quote = text[:1]
    end = text.find(quote, 1) if quote and quote in "'\"" else -1
    return text[1:end] + text[end + 1 :] if end > 0 else text


def _sorted_options(options: Iterable[Option]) -> tuple[list[Option], tuple[Option, ...]]:
    """Tell a requirement's own options from those that speak for the whole lock even there."""
    own: list[Option] = []
    shared: list[Option] = []
    for option in options:
        if option.name in REQUIREMENT_OPTIONS:
            own.append(option)
        elif option.name in FORMAT_OPTIONS:
            shared.append(option)
        else:
            raise BadOption(f"--{option.name} has to stand on a line of its own", option.written)
    return own, tuple(shared)


def _lock_options(options: Iterable[Option]) -> tuple[Option, ...]:
    for option in options:
        if option.name in REQUIREMENT_OPTIONS:
            raise BadOption(f"--{option.name} belongs to no requirement", option.written, _ORPHAN_HINT)
    return tuple(options)


def _hashes(options: Iterable[Option], flaws: list[Flaw]) -> list[str]:
    """Return the sound hashes; what is wrong with the others joins `flaws`, each on its own."""
    hashes: list[str] = []
    for option in options:
        if option.name != "hash":
            continue
        algorithm, colon, digest = option.value.partition(":")
        if not colon:
            flaws.append(Flaw(f"{option.value!r} is no hash, --hash wants sha256:DIGEST", option.written))
            continue
        try:
            hashes.append(checked_hash(algorithm, digest))
        except ValueError as error:
            flaws.append(Flaw(str(error), option.written))
    return hashes


def _config_settings(options: Iterable[Option]) -> tuple[tuple[str, str], ...]:
    settings: list[tuple[str, str]] = []
    for option in options:
        if option.name == "config-settings":
            key, equals, value = option.value.partition("=")
            if not equals:
                raise BadOption(f"--config-settings wants KEY=VALUE, not {option.value!r}", option.written)
            settings.append((key, value))
    return tuple(settings)
