"""The lines of pip's requirements format: decoding, continuation, comments, variables, options.

Follows pip's `req_file` (pip documentation, "Requirements File Format"), which joins lines before it strips
comments and expands `${VARIABLES}` after. A file is a string and an offset here, not a list of lines: the
reader takes the common lines off it with one regular expression (7,000 hash lines in 8 ms; splitting and
joining them costs three times that), and only the rest comes through `take_line`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import NamedTuple

# What str.splitlines() takes for the end of a line, and with it pip.
LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"

_PHYSICAL_LINE = re.compile(f"([^{LINE_ENDS}]*)(\r\n|[{LINE_ENDS}]|\\Z)")
_WHOLE_COMMENT = re.compile(r"\s*#")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_FIRST_OPTION = re.compile(r"(?:^|(?<=\s))-")
_ENCODING_COOKIE = re.compile(rb"coding[:=]\s*([-\w.]+)")

_SHORTEST_SECRET = 6  # turning shorter values back would garble the text around them

# The longer marks first: UTF-32's little-endian mark begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class LogicalLine(NamedTuple):
    """Physical lines joined at their trailing backslashes, without comments.

    `number` is the first physical line's, from 1; `text` is stripped and still unexpanded.
    """

    number: int
    text: str
    physical: tuple[str, ...]

    def line_of(self, fragment: str) -> int:
        """Return the number of the physical line that holds `fragment`, the first line if none does."""
        for offset, line in enumerate(self.physical):
            if fragment in line:
                return self.number + offset
        return self.number


class Variables:
    """Expands `${NAME}` as pip does: upper case only; what is unset or empty stays as written.

    `names` collects every name that was looked up, since setting one later would change what a file says.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.names: set[str] = set()
        self._environ = environ
        self._values: dict[str, str] = {}

    def expand(self, text: str) -> str:
        """Return `text` with the variables that are set replaced."""
        if "${" not in text:
            return text
        for name in dict.fromkeys(_VARIABLE.findall(text)):
            self.names.add(name)
            value = self._environ.get(name)
            if value:
                self._values[name] = value
                text = text.replace(f"${{{name}}}", value)
        return text

    def conceal(self, text: str) -> str:
        """Return `text` with the values that were expanded turned back: they may be secret."""
        for name, value in self._values.items():
            if len(value) >= _SHORTEST_SECRET:
                text = text.replace(value, f"${{{name}}}")
        return text


def decode(data: bytes) -> str:
    """Return a requirements file's text: by byte order mark, by encoding comment (PEP 263), as UTF-8.

    Raises:
        ValueError: the bytes are not in that encoding, or there is no such encoding.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    for line in data.split(b"\n", 2)[:2]:
        cookie = _ENCODING_COOKIE.search(line) if line.startswith(b"#") else None
        if cookie is not None:
            name = cookie[1].decode("ascii")
            try:
                return data.decode(name)
            except LookupError:
                raise ValueError(f"unknown encoding {name!r}") from None
    return data.decode("utf-8")


def take_line(text: str, start: int, number: int) -> tuple[LogicalLine, int]:
    """Read the logical line that begins at offset `start`, on physical line `number`.

    Returns the line and the offset behind it. A comment line ends a continuation and is never continued;
    a backslash behind a comment on a line with content does continue it (and the comment).
    """
    parts: list[str] = []
    physical: list[str] = []
    while True:
        match = _PHYSICAL_LINE.match(text, start)
        assert match is not None  # an empty line matches too
        line, start = match[1], match.end()
        physical.append(line)
        is_comment = _WHOLE_COMMENT.match(line) is not None
        if is_comment or not line.endswith("\\"):
            parts.append(f" {line}" if is_comment else line)
            break
        parts.append(line.strip("\\"))
        if start == len(text):
            break
    joined = _COMMENT.sub("", "".join(parts)).strip()
    return LogicalLine(number=number, text=joined, physical=tuple(physical)), start


def split_options(text: str) -> tuple[str, str]:
    """Split a line into the requirement and the options behind it; either may be empty.

    Only options are words in the shell's sense; a requirement's marker has quotes of its own.
    """
    match = _FIRST_OPTION.search(text)
    if match is None:
        return text, ""
    return text[: match.start()].rstrip(), text[match.start() :]


def words(text: str) -> list[str]:
    """Split options into words, with the shell's quotes and backslashes.

    Raises:
        ValueError: a quote that is never closed.
    """
    if not any(special in text for special in "'\"\\"):
        return text.split()
    from shlex import split  # slow (1 µs per character) and rarely needed

    return split(text)
