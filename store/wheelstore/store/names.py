"""Which names a wheel's entries may have, each alone and all together.

Hot: 12,000 ordinary names take 21 ms. One regular expression passes them; only the others
are looked at part by part.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from wheelstore.store.refusal import BadWheel, Rule

LONGEST_NAME = 4096
"""Bytes of a whole entry name: Linux's PATH_MAX."""
LONGEST_PART = 255
"""Bytes of one part of a path: NAME_MAX on every common file system."""

_ORDINARY = re.compile(rb"(?:\w[\w.+-]{0,63}/){0,31}\w[\w.+-]{0,63}").fullmatch
_DRIVE = re.compile(r"(?:^|/)[A-Za-z]:").search


def decode_name(raw: bytes) -> str:
    """The name in an entry's header, if it is one that a file may get.

    UTF-8 is demanded whether or not the header's UTF-8 flag is set: many builders leave the flag out.
    A directory's name keeps its final slash.

    Raises:
        BadWheel: with the rule that the name breaks.
    """
    if _ORDINARY(raw):
        return raw.decode("ascii")
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise BadWheel(raw.decode(errors="backslashreplace"), Rule.NAME_ENCODING) from None
    rule = _broken_rule(name, len(raw))
    if rule is not None:
        raise BadWheel(name, rule)
    return name


def _broken_rule(name: str, length: int) -> Rule | None:
    """The first rule that `name`, `length` bytes long, breaks."""
    if any(unicodedata.category(character) == "Cc" for character in name):
        return Rule.NAME_CONTROL
    if "\\" in name:
        return Rule.NAME_BACKSLASH
    if name.startswith("/"):
        return Rule.NAME_ABSOLUTE
    if _DRIVE(name):
        return Rule.NAME_DRIVE
    if length > LONGEST_NAME:
        return Rule.NAME_LENGTH
    for part in name.removesuffix("/").split("/"):
        if not part:
            return Rule.NAME_EMPTY
        # Windows drops dots and spaces at the end of a part, so ". ." may mean "..".
        if not part.strip(". "):
            return Rule.NAME_TRAVERSAL
        if len(part.encode()) > LONGEST_PART:
            return Rule.NAME_LENGTH
    return None


def check_distinct(names: Sequence[str]) -> None:
    """Refuse names that cannot all exist in one tree, on any file system.

    A name that ends in a slash is a directory; directories may repeat one another but for case.

    Raises:
        BadWheel: two names are equal, or equal after case folding or NFC, or one is another's parent.
    """
    if len(set(names)) != len(names):
        raise BadWheel(_first_repeated(names), Rule.DUPLICATE)
    folded = [fold(name) for name in names]
    files = {key: name for key, name in zip(folded, names, strict=True) if key[-1] != "/"}
    if len(files) != sum(key[-1] != "/" for key in folded):
        _raise_alike(names)
    for parent in _parents(folded):
        if parent in files:
            raise BadWheel(files[parent], Rule.FILE_AS_DIRECTORY)


def fold(name: str) -> str:
    """What a file system that ignores case and normalization makes of a name (Unicode §3.13, D146)."""
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", decomposed)


def _parents(names: Iterable[str]) -> set[str]:
    """Every directory above `names`."""
    seen: set[str] = {""}
    found = {name.rpartition("/")[0] for name in names}
    while found := found - seen:
        seen |= found
        found = {parent.rpartition("/")[0] for parent in found}
    return seen


def _first_repeated(names: Iterable[str]) -> str:
    return next(name for name, times in Counter(names).items() if times > 1)


def _raise_alike(names: Iterable[str]) -> None:
    """Raise for the first two files whose names only look different."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(fold(name), name)
        if other is not name and not name.endswith("/"):
            same = unicodedata.normalize("NFC", other) == unicodedata.normalize("NFC", name)
            raise BadWheel(name, Rule.DUPLICATE_UNICODE if same else Rule.DUPLICATE_CASE, f"as {other!r}")
