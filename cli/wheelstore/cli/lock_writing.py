"""An answer as the bytes of a lock, as the options want it."""

from __future__ import annotations

import os
from pathlib import Path

from wheelstore.cli.lock_memory import header_of, read_words
from wheelstore.cli.lock_request import LockRequest
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.indexes import IndexOptions
from wheelstore.resolve.inputs import Inputs
from wheelstore.resolve.pins import normalize
from wheelstore.resolve.problem import NONE_SELECTED, Answer, Rules
from wheelstore.resolve.requirements_txt import is_pylock
from wheelstore.resolve.write_pylock import write_pylock
from wheelstore.resolve.write_requirements import AnnotationStyle, Style, write_requirements


class BadOutput(ResolveError):
    """The lock cannot be written where it is to go, or must not be."""

    def __init__(self, output: str, reason: str, hint: str | None = None) -> None:
        super().__init__(output, reason)
        self.output, self.reason, self.hint = output, reason, hint

    def __str__(self) -> str:
        return f"--output-file {self.output}: {self.reason}" if self.output else f"--output-file: {self.reason}"


def check_output(request: LockRequest) -> None:
    """See before anything is solved that the lock could be written, and would replace nothing that it is made from.

    Raises:
        BadOutput: it could not, or would.
    """
    output = request.output
    if output is None or request.dry_run:
        return
    if not output:
        raise BadOutput(output, "is empty", "name a file, such as requirements.txt; without -o, it is standard output")
    if os.path.isdir(output):
        raise BadOutput(output, "is a directory", f"name a file in it: {os.path.join(output, 'requirements.txt')}")
    if os.path.exists(output) and not os.path.isfile(output):
        return
    stem, suffix = os.path.splitext(os.path.basename(output))
    if suffix == ".toml" and request.looks.format is None and not is_toml(request):
        name = f"pylock.{stem.replace('.pylock', '').replace('.', '-')}.toml"
        reason = "a pylock.toml is called pylock.toml or pylock.NAME.toml (PEP 751)"
        raise BadOutput(output, reason, f"name it {name}, or say which format it has with --format")
    directory = os.path.dirname(os.path.realpath(output))
    shown = os.path.dirname(output) or "."
    if not os.path.isdir(directory):
        reason = "is no directory" if os.path.lexists(directory) else "does not exist"
        raise BadOutput(output, f"{shown} {reason}", "make it first, or name another place")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise BadOutput(output, f"nothing can be written in {shown}", "it takes the permission to make a file there")
    if any(_is_same(output, path) for path in request.inputs if path != "-"):
        raise BadOutput(output, "is what the lock is made from, and would be overwritten", "name another file")


def _is_same(output: str, given: str) -> bool:
    """Whether the output is an input, or a file that an input directory stands for."""
    files = [given, *(os.path.join(given, name) for name in ("pyproject.toml", "setup.py", "setup.cfg"))]
    return any(os.path.isfile(path) and os.path.isfile(output) and os.path.samefile(path, output) for path in files)


def is_toml(request: LockRequest) -> bool:
    """Whether the lock is a pylock.toml."""
    if request.looks.format is not None:
        return request.looks.format == "pylock.toml"
    return request.output is not None and is_pylock(os.path.basename(request.output))


def written(answer: Answer, request: LockRequest, inputs: Inputs, *, rules: Rules, where: IndexOptions) -> bytes:
    """The lock.

    Raises:
        Unwritable: it cannot be said in the format.
    """
    looks = request.looks
    omitted = frozenset(normalize(name) for text in looks.omitted for name in text.split(","))
    if is_toml(request):
        base = Path(os.path.abspath(request.output)).parent if request.output is not None else Path.cwd()
        text = write_pylock(answer, base=base, header=_header(request), omitted=omitted)
        return text.encode()
    extra = {url.rstrip("/") for url in (*request.extra_index_urls, *inputs.options.extra_index_urls)}
    default = next((url for url in where.index_urls if url.rstrip("/") not in extra), None)
    style = Style(
        header=_header(request),
        annotate=looks.annotate,
        annotation_style=AnnotationStyle(looks.annotation_style),
        annotate_index=looks.emit_index_annotation,
        hashes=looks.hashes,
        strip_extras=looks.strip_extras,
        strip_markers=looks.strip_markers,
        omitted=omitted,
        base=Path.cwd(),
        index_url=default if looks.emit_index_url else None,
        extra_index_urls=tuple(url for url in where.index_urls if url != default) if looks.emit_index_url else (),
        no_index=looks.emit_index_url and where.no_index,
        find_links=where.find_links if looks.emit_find_links else (),
        no_binary=rules.no_binary if looks.emit_build_options else NONE_SELECTED,
        only_binary=rules.only_binary if looks.emit_build_options else NONE_SELECTED,
    )
    return write_requirements(answer, style).encode()


def _header(request: LockRequest) -> str | None:
    """The command that the lock is made by."""
    if not request.looks.header:
        return None
    if request.looks.custom_command:
        return request.looks.custom_command
    words = read_words(request.arguments)
    return header_of(words) if words is not None else "store lock"
