"""An answer as the bytes of a lock, as the options want it."""

from __future__ import annotations

import os
from pathlib import Path

from wheelstore.cli.lock_memory import header_of, read_words
from wheelstore.cli.lock_request import LockRequest
from wheelstore.resolve.indexes import IndexOptions
from wheelstore.resolve.inputs import Inputs
from wheelstore.resolve.pins import normalize
from wheelstore.resolve.problem import NONE_SELECTED, Answer, Rules
from wheelstore.resolve.requirements_txt import is_pylock
from wheelstore.resolve.write_pylock import write_pylock
from wheelstore.resolve.write_requirements import AnnotationStyle, Style, write_requirements


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
