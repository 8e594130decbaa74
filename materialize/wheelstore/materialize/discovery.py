"""Find the interpreter that a request means. Only what is passed in is searched, in the order that it is passed in.

As uv does: a directory of the search path may hold the interpreter under several names; what does not start is
passed over; environments are passed over too (an active one must not decide what a new one is made of), unless the
request names one, or nothing else is found; what stands for an environment is the interpreter that it was made of.
"""

from __future__ import annotations

import os

from wheelstore.materialize.interpreter import OLDEST, Interpreter, InterpreterFailed, Memory, ask
from wheelstore.materialize.request import Request, parse_request
from wheelstore.store.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SUFFIXES = (".exe", ".bat") if os.name == "nt" else ("",)
_ANY = ("", "any", "default", "python")


class InterpreterNotFound(StoreError):
    """No interpreter fits the request; the hint lists those that were found, in the order of the search."""

    def __init__(self, request: str, found: Sequence[Interpreter]) -> None:
        super().__init__(request, found)
        self.request, self.found = request, tuple(found)
        known = ", ".join(f"{python.version} ({python.executable})" for python in found)
        self.hint = f"there is {known}" if known else "name one with --python PATH"

    def __str__(self) -> str:
        return f"{self.request} is not found"


class BadRequest(StoreError):
    """The request can be understood by nobody, or asks for what environments are not made for."""

    hint = "say --python 3.12, --python '>=3.10', --python pypy3.10, or give a path"

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(request, reason)
        self.request, self.reason = request, reason

    def __str__(self) -> str:
        return f"--python {self.request}: {self.reason}"


def find_interpreter(
    request: str | None,
    *,
    search_path: Sequence[str],
    memory: Memory,
    installations: Sequence[str] = (),
    registered: Sequence[str] = (),
    directory: str = "",
) -> Interpreter:
    """The interpreter that ``request`` means; None means the first on the search path that works.

    ``request`` is a path of an executable, of an environment or of an installation (relative to ``directory``), or
    what `parse_request` takes, or the name of an executable. ``search_path`` is PATH's directories;
    ``installations`` are directories whose subdirectories each hold a Python (pyenv's ``versions``, uv's own);
    ``registered`` are executables that the system knows (`registered_pythons`).

    Raises:
        InterpreterNotFound: nothing fits.
        InterpreterFailed: the request names one file, and that does not start or is too old.
        BadRequest: the request makes no sense.
    """
    text = request or ""
    path = os.path.join(directory, text)
    if os.sep in text or (os.altsep or os.sep) in text:
        return _at_path(text, path, memory)
    search = _Search(search_path, installations, registered, memory)
    if text.lower() in _ANY:
        return search.first(None)
    wanted = _parse(text)
    if wanted is not None:
        return search.first(wanted)
    return _at_path(text, path, memory) if os.path.isdir(path) else search.named(text)


def _parse(text: str) -> Request | None:
    try:
        wanted = parse_request(text)
    except ValueError as error:
        raise BadRequest(text, str(error)) from None
    if wanted is not None and wanted.release and wanted.release < OLDEST[: len(wanted.release)]:
        raise BadRequest(text, f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed")
    return wanted


def _at_path(text: str, path: str, memory: Memory) -> Interpreter:
    if not os.path.isdir(path):
        return ask(base_of(path) or path, memory)
    for directory in (os.path.join(path, "bin"), os.path.join(path, "Scripts"), path):
        for name in ("python", "python3", "pypy3", "pypy"):
            for executable in _existing(directory, name):
                return ask(base_of(executable) or executable, memory)
    raise InterpreterNotFound(f"a Python in {text}", ())


def base_of(executable: str) -> str | None:
    """Whom to ask about an environment's interpreter: what its link leads to; None for any other executable.

    A copy (Windows) is to be asked itself: it knows its base.
    """
    prefix = os.path.dirname(os.path.dirname(os.path.abspath(executable)))
    if not os.path.exists(os.path.join(prefix, "pyvenv.cfg")):
        return None
    return os.path.realpath(executable) if os.path.islink(executable) else executable


def _existing(directory: str, name: str) -> Iterator[str]:
    for suffix in _SUFFIXES:
        path = os.path.join(directory, name if suffix and name.lower().endswith(suffix) else name + suffix)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            yield path


def _versioned(directory: str, stem: str) -> list[str]:
    """Which names ``python3.N`` there are in a directory, the newest first; ``stem`` is ``python3``."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    found = [name for name in names if name.startswith(f"{stem}.") and name[len(stem) + 1 :].isdigit()]
    return sorted(found, key=natural_order, reverse=True)


class _Search:
    """One search, which knows afterwards what it came across."""

    def __init__(
        self, search_path: Sequence[str], installations: Sequence[str], registered: Sequence[str], memory: Memory
    ) -> None:
        self._directories = [path for path in dict.fromkeys(search_path) if os.path.isabs(path)]
        self._installations, self._registered, self._memory = installations, registered, memory
        self._found: dict[str, Interpreter] = {}

    def named(self, name: str) -> Interpreter:
        """The first executable on the search path that has just this name."""
        for directory in self._directories:
            for path in _existing(directory, name):
                return ask(base_of(path) or path, self._memory)
        raise InterpreterNotFound(f"an executable {name}", ())

    def first(self, request: Request | None) -> Interpreter:
        """The first that fits; only then one that an environment stands for."""
        environments = []
        for path in self._candidates(request):
            if base := base_of(path):
                environments.append(base)
            elif found := self._ask(path, request):
                return found
        for base in environments:
            if found := self._ask(base, request):
                return found
        raise InterpreterNotFound(str(request or "Python"), tuple(self._found.values()))

    def _candidates(self, request: Request | None) -> Iterator[str]:
        names = request.names() if request else ("python3", "python")
        for directory in (*self._directories, *self._installed()):
            for name in (*names, *(_versioned(directory, names[0]) if request and request.specifiers else ())):
                yield from _existing(directory, name)
        yield from self._registered

    def _installed(self) -> Iterator[str]:
        for root in self._installations:
            try:
                children = sorted(os.listdir(root), key=natural_order, reverse=True)
            except OSError:
                continue
            for child in children:
                prefix = os.path.join(root, child)
                yield prefix if os.name == "nt" else os.path.join(prefix, "bin")

    def _ask(self, path: str, request: Request | None) -> Interpreter | None:
        """The interpreter there, if it works and fits."""
        try:
            interpreter = ask(path, self._memory)
        except InterpreterFailed:
            return None
        self._found.setdefault(interpreter.executable, interpreter)
        return interpreter if request is None or request.fits(interpreter) else None


def natural_order(text: str) -> list[tuple[int, str]]:
    """A sort key in which ``3.12.9`` comes before ``3.12.10``."""
    key, number = [], ""
    for character in f"{text}.":
        if character.isascii() and character.isdigit():
            number += character
            continue
        if number:
            key.append((int(number), ""))
            number = ""
        key.append((-1, character))
    return key
