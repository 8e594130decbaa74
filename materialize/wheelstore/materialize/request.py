"""What ``--python`` can say, beside a path: a version, an implementation, or the name of an executable.

The forms are uv's: ``3.12``, ``312``, ``3.13t``, ``3.13+freethreaded``, ``>=3.9,<3.13``, ``pypy``, ``pypy@3.10``,
``cp312``, ``python3.12``.
"""

from __future__ import annotations

from wheelstore.materialize.interpreter import Interpreter

_IMPLEMENTATIONS = {
    "cpython": "cpython",
    "python": "",
    "graalpy": "graalpy",
    "pypy": "pypy",
    "cp": "cpython",
    "gp": "graalpy",
    "pp": "pypy",
}
_VARIANTS = {
    "t": "t",
    "d": "d",
    "td": "td",
    "freethreaded": "t",
    "debug": "d",
    "freethreaded+debug": "td",
    "gil": "",
    "": "",
}
_OPERATORS = ("<", ">", "=", "!", "~")


class Request:
    """Which interpreters fit: by implementation (empty: any), version (as asked, or specifiers) and build."""

    __slots__ = ("implementation", "specifiers", "variant", "version")

    def __init__(self, *, implementation: str = "", version: str = "", specifiers: str = "", variant: str = "") -> None:
        self.implementation, self.version = implementation, version
        self.specifiers, self.variant = specifiers, variant

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, ...]:
        return self.implementation, self.version, self.specifiers, self.variant

    def __str__(self) -> str:
        name = {"": "Python", "cpython": "CPython", "pypy": "PyPy", "graalpy": "GraalPy"}[self.implementation]
        version = self.version or self.specifiers
        return f"{name} {version}{self.variant}" if version else name

    @property
    def release(self) -> tuple[int, ...]:
        """The numbers asked for: ``(3, 12)``; empty if none, or only specifiers."""
        return _numbers(self.version)

    def fits(self, interpreter: Interpreter) -> bool:
        """Whether this is one. Free-threaded and debug builds only fit a request that says so."""
        variant = "t" * interpreter.gil_disabled + "d" * interpreter.debug
        if variant != self.variant or self.implementation not in ("", interpreter.implementation):
            return False
        if self.specifiers:
            from packaging.specifiers import SpecifierSet

            return SpecifierSet(self.specifiers).contains(interpreter.version.rstrip("+"), prereleases=True)
        if len(self.release) == 3 or not self.version.replace(".", "").isdigit():
            return self.version in ("", interpreter.version)
        return _numbers(interpreter.version)[: len(self.release)] == self.release

    def names(self) -> tuple[str, ...]:
        """What such an interpreter may be called on disk, the most telling first."""
        stem = "python" if self.implementation in ("", "cpython") else self.implementation
        ends = [".".join(map(str, self.release[:length])) for length in range(min(2, len(self.release)), 0, -1)]
        if "3" not in ends:
            ends.append("3")
        plain = [stem + end for end in (*ends, "")]
        return (*(name + self.variant for name in plain[:-2] if self.variant), *plain)


def parse_request(text: str) -> Request | None:
    """Understand a request that is no path; None if it can only be the name of an executable.

    Raises:
        ValueError: it begins like specifiers, and is none.
    """
    lower = text.strip().lower()
    for prefix, implementation in _IMPLEMENTATIONS.items():
        if lower.startswith(prefix):
            rest = lower[len(prefix) :].removeprefix("@")
            if not rest and prefix != "python":
                return Request(implementation=implementation)
            return _versioned(rest, implementation)
    return _versioned(lower, "")


def _versioned(text: str, implementation: str) -> Request | None:
    if text.startswith(_OPERATORS):
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            return Request(implementation=implementation, specifiers=str(SpecifierSet(text)))
        except InvalidSpecifier:
            raise ValueError(f"{text} is no version specifier") from None
    version, plus, variant = text.partition("+")
    if not plus:
        version = text.rstrip("td")
        variant = text[len(version) :]
    if variant not in _VARIANTS or not version[:1].isdigit():
        return None
    if version.isdigit() and len(version) > 1:
        version = f"{version[0]}.{version[1:]}"
    if not _is_version(version):
        return None
    return Request(implementation=implementation, version=version, variant=_VARIANTS[variant])


def _is_version(text: str) -> bool:
    """Whether this is one to three numbers, the last perhaps with a pre-release (``3.14.0rc1``)."""
    *first, last = text.split(".")
    if len(first) > 2 or not all(part.isdigit() for part in first):
        return False
    for marker in ("rc", "a", "b"):
        number, found, serial = last.partition(marker)
        if found:
            return number.isdigit() and serial.isdigit()
    return last.isdigit()


def _numbers(version: str) -> tuple[int, ...]:
    """``3.14.0rc1`` begins with 3, 14, 0."""
    numbers = []
    for part in version.split(".")[:3]:
        digits = len(part) - len(part.lstrip("0123456789"))
        if not digits:
            break
        numbers.append(int(part[:digits]))
    return tuple(numbers)
