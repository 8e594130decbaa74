"""Locks that were made before, for `store lock` with nothing to do: no parsing, no network, no click.

A lock is the answer to a question: the words of the command line, the interpreter, the bytes of the inputs and of the
lock that is there, and the settings of the environment. It holds as long as every further file that was read, and
every page of an index that had a say, is what it was, by digests; what an index says is known without asking as long
as the page may be believed. On the warm path.
"""

from __future__ import annotations

import os

from blake3 import blake3

from wheelstore.store.values import NamedTuple
from wheelstore.store.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wheelstore.materialize.interpreter import Interpreter

_FORMAT = "3"  # of what a key covers and of how an answer is packed
_ABSENT, _LISTING = "-", "listing:"
_DISTRIBUTIONS = (".whl", ".tar.gz", ".zip")

_VALUES = frozenset(
    {
        *("-o", "--output-file", "-c", "--constraint", "--override", "--excludes", "--exclude", "--extra", "--group"),
        *("-P", "--upgrade-package", "--resolution", "--prerelease", "--exclude-newer", "--exclude-newer-package"),
        *("--no-binary", "--only-binary", "-p", "--python", "--python-version", "--python-platform", "--target"),
        *("--index-strategy", "--index", "--pin-index", "--format", "--annotation-style", "--resolver"),
        *("--custom-compile-command", "--no-emit-package", "--unsafe-package"),
        *("--store", "-i", "--index-url", "--extra-index-url", "-f", "--find-links"),
    }
)
_FLAGS = frozenset(
    {
        *("--all-extras", "-U", "--upgrade", "--pre", "--no-deps", "--universal", "--refresh", "--no-memo"),
        *("--annotate", "--no-annotate", "--header", "--no-header", "--emit-index-url", "--no-emit-index-url"),
        *("--emit-find-links", "--no-emit-find-links", "--emit-build-options", "--no-emit-build-options"),
        *("--emit-options", "--no-emit-options", "--emit-index-annotation", "--no-emit-index-annotation"),
        *("--strip-extras", "--no-strip-extras", "--strip-markers", "--no-strip-markers"),
        *("--generate-hashes", "--no-hashes", "--allow-unsafe", "--no-allow-unsafe", "--reuse-hashes"),
        *("--no-build-isolation", "--newline-lf", "-n", "--dry-run"),
        *("--no-index", "--offline", "-q", "--quiet", "-qq", "-v", "--verbose", "--no-progress", "--json"),
    }
)
_UNUSUAL = frozenset({"--refresh", "--no-memo", "-v", "--verbose", "--json", "-n", "--dry-run"})
_SILENT = frozenset(  # what has no say in the answer, and is not written into it
    {"-q", "--quiet", "-qq", "-v", "--verbose", "--no-progress", "--json", "--refresh", "--no-memo", "-n", "--dry-run"}
)
_UNWRITTEN = frozenset(
    {
        *("-U", "--upgrade", "-P", "--upgrade-package", "--store", "--offline", "--refresh", "--no-memo"),
        # Where packages come from may be private; --emit-index-url and --emit-find-links write it.
        *("-i", "--index-url", "--extra-index-url", "--index", "-f", "--find-links"),
    }
)
_TWICE = ({"-o", "--output-file"}, {"-p", "--python"})
_QUIET = {"-q": 1, "--quiet": 1, "-qq": 2}
_SETTINGS = ("PIP_", "STORE_")
_PLACES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "APPDATA", "PROGRAMDATA", "CUSTOM_COMPILE_COMMAND")


class Words(NamedTuple):
    """The words of a command line: `said` without those that do not matter, and what of them matters here.

    ``plain`` tells that nothing is asked for that takes the full command.
    """

    said: tuple[tuple[str, str | None], ...]
    inputs: tuple[str, ...]
    output: str | None
    store: str | None
    python: str | None
    quiet: int
    upgrade: bool
    offline: bool
    plain: bool


def read_words(arguments: Sequence[str]) -> Words | None:
    """Sort the words of a ``store lock …``; None if there is one that is not understood here."""
    said: list[tuple[str, str | None]] = []
    inputs: list[str] = []
    values: dict[str, str] = {}
    flags: dict[str, int] = {}
    words = iter(arguments)
    command = False
    for word in words:
        if word == "-" or not word.startswith("-"):
            if command:
                inputs.append(word)
            elif word != "lock":
                return None
            command = True
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _VALUES:
            following = value if equals else next(words, None)
            if following is None:
                return None
            values[name] = following
            said.append((name, following))
        elif name in _FLAGS and not equals:
            flags[name] = flags.get(name, 0) + 1
            if name not in _SILENT:
                said.append((name, None))
        else:
            return None
    if not command:
        return None
    output = values.get("-o", values.get("--output-file"))
    return Words(
        said=tuple(said),
        inputs=tuple(inputs),
        output=None if output == "-" else output,
        store=values.get("--store"),
        python=values.get("-p", values.get("--python")),
        quiet=sum(_QUIET[name] * count for name, count in flags.items() if name in _QUIET),
        upgrade="-U" in flags or "--upgrade" in flags,
        offline="--offline" in flags,
        plain=not _UNUSUAL.intersection(flags) and not any(pair <= values.keys() for pair in _TWICE),
    )


def default_inputs(directory: str) -> tuple[str, ...]:
    """What is locked if nothing is named."""
    names = ("requirements.in", "pyproject.toml")
    return next(((name,) for name in names if os.path.exists(os.path.join(directory, name))), ())


def question(words: Words, inputs: Sequence[str], interpreter: Interpreter, environ: Mapping[str, str]) -> bytes | None:
    """The digest of everything that is asked; None if the answer is not to be remembered.

    A key for each lock at the output's place is made of it by `with_earlier`.
    """
    cwd = os.getcwd()
    settings = [f"{name}={environ[name]}" for name in sorted(environ) if name.startswith(_SETTINGS) or name in _PLACES]
    said = [repr(one) for one in words.said]
    markers = repr(sorted(interpreter.markers.items()))
    about = (_FORMAT, VERSION, cwd, interpreter.identity, markers)
    text = "\0".join((*about, *said, "", *settings, "", *inputs, ""))
    digest = blake3(text.encode("utf-8", "surrogateescape"))
    for path in inputs:
        if path == "-":
            return None
        try:
            with open(path, "rb") as stream:
                content = stream.read()
        except OSError:  # a directory, for one
            return None
        if b"${" in content:
            return None
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.digest()


def with_earlier(question: bytes, earlier: bytes | None) -> bytes:
    """The key of a question about a lock that is to replace an `earlier` one, whose pins stay."""
    return question if earlier is None else blake3(question + earlier).digest()


def earlier_of(words: Words) -> bytes | None:
    """The bytes of the lock whose pins stay, if there is one."""
    if words.upgrade or words.output is None or not os.path.isfile(words.output):  # /dev/full has no end
        return None
    try:
        with open(words.output, "rb") as stream:
            return stream.read()
    except OSError:
        return None


def header_of(words: Words) -> str:
    """The command, as it is written down: without what would be different the next time, and without secrets."""
    from shlex import quote

    from wheelstore.resolve.locations import public_url

    written = ["store", "lock", *(quote(path) for path in words.inputs)]
    for name, value in words.said:
        if name not in _UNWRITTEN:
            written.append(name)
            written += [quote(public_url(value))] if value is not None else []
    return " ".join(written)


def pack_files(paths: Iterable[str]) -> str:
    """Files, and directories whose listing matters, as they are now, as one text."""
    return "\x1e".join(f"{path}\x1f{_digest(path)}" for path in dict.fromkeys(paths))


def files_hold(packed: str) -> bool:
    """Whether the files of `pack_files` still are what they were."""
    if not packed:
        return True
    pairs = (item.partition("\x1f") for item in packed.split("\x1e"))
    return all(_digest(path) == digest for path, _, digest in pairs)


def _digest(path: str) -> str:
    try:
        if path.endswith(_DISTRIBUTIONS):  # reading them all would take longer than to solve
            status = os.stat(path)
            return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
        if os.path.isdir(path):
            entries = sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in os.scandir(path))
            listing = "\n".join(f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in entries)
            return _LISTING + blake3(listing.encode("utf-8", "surrogateescape")).hexdigest()
        with open(path, "rb") as stream:
            return blake3(stream.read()).hexdigest()
    except OSError:
        return _ABSENT


def write_output(path: str, content: bytes) -> bool:
    """Put the lock where it belongs, whole or not at all, with the mode that it had; false if it is there already.

    A device or a pipe is written to, and stays what it is.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as stream:
            stream.write(content)
        return True
    path = os.path.realpath(path)
    mode = None
    try:
        with open(path, "rb") as stream:
            if stream.read() == content:
                return False
            mode = os.fstat(stream.fileno()).st_mode & 0o7777
    except FileNotFoundError:
        pass
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as stream:
            stream.write(content)
            if mode is not None:
                os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException as error:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError):  # nobody knows the other name
            error.filename, error.filename2 = path, None
        raise
    return True
