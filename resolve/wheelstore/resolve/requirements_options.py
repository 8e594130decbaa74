"""The options of pip's requirements format: how they are written, and what they add up to over a lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from wheelstore.resolve.pins import normalize
from wheelstore.resolve.requirements_lines import words

ALL, NONE = ":all:", ":none:"

_LONG = {
    "--index-url": "index-url",
    "--pypi-url": "index-url",
    "--extra-index-url": "extra-index-url",
    "--no-index": "no-index",
    "--find-links": "find-links",
    "--requirement": "requirement",
    "--constraint": "constraint",
    "--editable": "editable",
    "--no-binary": "no-binary",
    "--only-binary": "only-binary",
    "--prefer-binary": "prefer-binary",
    "--pre": "pre",
    "--all-releases": "all-releases",
    "--only-final": "only-final",
    "--require-hashes": "require-hashes",
    "--no-require-hashes": "no-require-hashes",
    "--trusted-host": "trusted-host",
    "--use-feature": "use-feature",
    "--hash": "hash",
    "--config-settings": "config-settings",
    "--global-option": "global-option",
}
_SHORT = {
    "-i": "index-url",
    "-f": "find-links",
    "-r": "requirement",
    "-c": "constraint",
    "-e": "editable",
    "-C": "config-settings",
}
_FLAGS = frozenset(("no-index", "prefer-binary", "pre", "require-hashes", "no-require-hashes"))

REQUIREMENT_OPTIONS = frozenset(("hash", "config-settings", "global-option"))
"""What belongs to one requirement; all other options speak for the whole lock."""

FORMAT_OPTIONS = frozenset(("no-binary", "only-binary", "all-releases", "only-final"))
"""What speaks for the whole lock even where it stands behind a requirement."""


class Option(NamedTuple):
    """One option: its canonical name without dashes, its value ("" for a flag), the words it was written as."""

    name: str
    value: str
    written: str


class BadOption(ValueError):
    """An option that pip would not take; `word` is the part of the line that is wrong."""

    def __init__(self, message: str, word: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.word, self.hint = word, hint


def parse_options(text: str) -> tuple[list[Option], list[str]]:
    """Read options as optparse does: `--name value`, `--name=value`, `-nvalue`, unambiguous prefixes.

    Returns the options and the words that belong to none.

    Raises:
        BadOption: an unknown option, a missing or superfluous value, an unclosed quote.
    """
    try:
        left = words(text)
    except ValueError:
        raise BadOption(f"a quote is never closed in {text!r}", text) from None
    left.reverse()
    options: list[Option] = []
    positional: list[str] = []
    while left:
        word = left.pop()
        if word == "--":
            positional += reversed(left)
            break
        if not word.startswith("-") or word == "-":
            positional.append(word)
            continue
        spelling, attached = _split_word(word)
        name = _canonical(spelling, word)
        if name in _FLAGS:
            if attached is not None:
                raise BadOption(f"{spelling} takes no value", word)
            options.append(Option(name, "", word))
        elif attached is not None:
            options.append(Option(name, attached, word))
        elif left:
            options.append(Option(name, value := left.pop(), value))
        else:
            raise BadOption(f"{spelling} needs a value", word)
    return options, positional


def _split_word(word: str) -> tuple[str, str | None]:
    if word.startswith("--"):
        spelling, equals, value = word.partition("=")
        return spelling, value if equals else None
    return word[:2], word[2:] or None


def _canonical(spelling: str, word: str) -> str:
    name = _LONG.get(spelling) or _SHORT.get(spelling)
    if name is not None:
        return name
    if spelling.startswith("--"):
        meant = {_LONG[option]: option for option in _LONG if option.startswith(spelling)}
        if len(meant) == 1:
            return next(iter(meant))
        if meant:
            raise BadOption(f"{spelling} is ambiguous: {', '.join(sorted(meant.values()))}", word)
    raise BadOption(f"unknown option {spelling}", word, _did_you_mean(spelling))


def _did_you_mean(spelling: str) -> str | None:
    from difflib import get_close_matches

    close = get_close_matches(spelling, [*_LONG, *_SHORT], n=1)
    return f"did you mean {close[0]}?" if close else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOptions:
    """What a lock's option lines say, over all its files.

    Attributes:
        index_url: the last one given; it and `extra_index_urls` are empty under `no_index`. Both may
            hold credentials, so neither appears in `repr`.
        find_links: URLs and paths; a path that exists beside its file is made relative to that file.
        no_binary, only_binary: normalized names, or `":all:"`.
        require_hashes: every distribution has to match a hash of the lock.
    """

    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    find_links: tuple[str, ...] = field(default=(), repr=False)
    trusted_hosts: tuple[str, ...] = ()
    no_binary: frozenset[str] = frozenset()
    only_binary: frozenset[str] = frozenset()
    prefer_binary: bool = False
    pre: bool = False
    require_hashes: bool = False

    def allows_wheel(self, name: str) -> bool:
        """Tell whether a project (normalized name) may come as a wheel."""
        if name in self.only_binary:
            return True
        return name not in self.no_binary and (ALL in self.only_binary or ALL not in self.no_binary)

    def allows_sdist(self, name: str) -> bool:
        """Tell whether a project (normalized name) may be built from source."""
        if name in self.only_binary:
            return False
        return name in self.no_binary or ALL not in self.only_binary


class OptionsSoFar:
    """`LockOptions` while the files are read, in their order."""

    def __init__(self) -> None:
        self.require_hashes = self.no_require_hashes = False
        self._index_url: str | None = None
        self._extra_index_urls: list[str] = []
        self._find_links: list[str] = []
        self._trusted_hosts: list[str] = []
        self._no_binary: set[str] = set()
        self._only_binary: set[str] = set()
        self._no_index = self._prefer_binary = self._pre = False

    def add(self, name: str, value: str) -> None:
        """Take one option that speaks for the whole lock; what matters only to a solver is dropped."""
        match name:
            case "index-url":
                self._index_url = value
            case "extra-index-url":
                self._extra_index_urls.append(value)
            case "no-index":
                self._no_index = True
            case "find-links":
                self._find_links.append(value)
            case "trusted-host":
                self._trusted_hosts.append(value)
            case "no-binary":
                _select(value, self._no_binary, self._only_binary)
            case "only-binary":
                _select(value, self._only_binary, self._no_binary)
            case _:
                self._add_flag(name)

    def _add_flag(self, name: str) -> None:
        match name:
            case "prefer-binary":
                self._prefer_binary = True
            case "pre":
                self._pre = True
            case "require-hashes":
                self.require_hashes = True
            case "no-require-hashes":
                self.no_require_hashes = True

    def freeze(self, *, require_hashes: bool) -> LockOptions:
        """Return what the options add up to."""
        indexed = not self._no_index
        return LockOptions(
            index_url=self._index_url if indexed else None,
            extra_index_urls=_unique(self._extra_index_urls) if indexed else (),
            no_index=self._no_index,
            find_links=_unique(self._find_links),
            trusted_hosts=_unique(self._trusted_hosts),
            no_binary=frozenset(self._no_binary),
            only_binary=frozenset(self._only_binary),
            prefer_binary=self._prefer_binary,
            pre=self._pre,
            require_hashes=require_hashes,
        )


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _select(value: str, target: set[str], other: set[str]) -> None:
    names = value.split(",")
    while ALL in names:
        other.clear()
        target.clear()
        target.add(ALL)
        del names[: names.index(ALL) + 1]
        if NONE not in names:  # :all: covers every name behind it
            return
    for name in names:
        if name == NONE:
            target.clear()
            continue
        normalized = normalize(name)
        other.discard(normalized)
        target.add(normalized)
