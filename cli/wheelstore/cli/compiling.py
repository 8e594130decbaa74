"""Bytecode for a plan: what the store has of it, and the rest compiled by the environment's Python, once for all."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from blake3 import blake3

from wheelstore.cli.console import Console
from wheelstore.cli.progress import progress_on
from wheelstore.cli.summary import counted
from wheelstore.materialize.bytecode import (
    CompilingFailed,
    Module,
    bytecode_tag,
    compile_modules,
    modules_of,
    with_bytecode,
)
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.plan import Plan
from wheelstore.store.blobs import blob_key, blob_name
from wheelstore.store.compiled import CompiledModules
from wheelstore.store.index import Index
from wheelstore.store.index_bytecode import NO_SOURCE, find_bytecode, sources_of_bytecode
from wheelstore.store.layout import Store


@dataclass(frozen=True, slots=True)
class Bytecode:
    """Which bytecode an environment is to have (optimisation `levels`), and whom to tell while it is made."""

    levels: tuple[int, ...] = ()
    console: Console | None = None
    progress: bool = False


def compiled_plan(
    plan: Plan, interpreter: Interpreter, wanted: Bytecode, incoming: CompiledModules, *, store: Store, index: Index
) -> Plan:
    """`plan` with all the bytecode that is wanted, which `incoming` counts; what the store lacks is compiled.

    Raises:
        InterpreterFailed: the interpreter cannot be started.
        CompilingFailed: a module cannot be compiled now; nothing is kept.
        BlobUnusable: a module is damaged in the store.
        OSError: the store cannot take it.
    """
    modules = modules_of(plan, (interpreter.purelib, interpreter.platlib))
    sources = set(modules.values())
    pycs: dict[tuple[str, int], str] = {}
    missing: list[Module] = []
    for level in wanted.levels:
        found = find_bytecode(index, [*map(source_key, sources)], bytecode_tag(interpreter, level))
        held = incoming.hold({source: pyc for source, pyc in found.items() if pyc.key})
        for source in sources:
            key = source_key(source)
            if key in held:
                pycs[source, level] = blob_name(held[key].key)
            elif key not in found or found[key].key:
                missing.append(Module(source, _size(store, source), level))
    if missing:
        try:
            pycs |= _compile(missing, interpreter, wanted, incoming, store)
        except CompilingFailed as error:
            target = min(target for target, source in modules.items() if source == error.blob)
            raise CompilingFailed(error.blob, error.reason, target) from None
    return with_bytecode(plan, interpreter, pycs)


def known_plan(plan: Plan, interpreter: Interpreter, levels: Iterable[int], *, index: Index) -> Plan:
    """`plan` with what bytecode there is, for whoever can only read the store."""
    sources = set(modules_of(plan, (interpreter.purelib, interpreter.platlib)).values())
    pycs: dict[tuple[str, int], str] = {}
    for level in levels:
        found = find_bytecode(index, [*map(source_key, sources)], bytecode_tag(interpreter, level))
        for source in sources:
            pyc = found.get(source_key(source))
            if pyc is not None and pyc.key:
                pycs[source, level] = blob_name(pyc.key)
    return with_bytecode(plan, interpreter, pycs)


def _compile(
    missing: Collection[Module], interpreter: Interpreter, wanted: Bytecode, incoming: CompiledModules, store: Store
) -> dict[tuple[str, int], str]:
    """Compile modules and publish what comes of it; the blobs' names by source and level."""
    console, started = wanted.console or Console(quiet=2), time.perf_counter()
    tags = {level: bytecode_tag(interpreter, level) for level in wanted.levels}
    pycs: dict[tuple[str, int], str] = {}
    shown = progress_on(console.stream, wanted=wanted.progress, doing="Compiling modules")
    compiling = compile_modules(interpreter, store.blobs, [*missing], processes=os.cpu_count() or 1)
    with shown as progress, closing(compiling) as results:
        progress.expect(len(missing), sum(module.size for module in missing))
        for module, content in results:
            pyc = incoming.stage(source_key(module.source), tags[module.level], content)
            if pyc.key:
                pycs[module.source, module.level] = blob_name(pyc.key)
            progress.advance(module.size)
            progress.unpacked()
    incoming.publish()
    console.say(f"Compiled {counted(len(missing), 'module')} in {time.perf_counter() - started:.1f}s")
    return pycs


def compile_again(
    lost: Collection[bytes], levels: Iterable[int], interpreter: Interpreter, *, store: Store, index: Index
) -> Iterator[tuple[bytes, bytes]]:
    """Bytecode blobs that are damaged, made anew: those of the keys `lost` for which that works, and their content.

    Raises:
        InterpreterFailed: the interpreter cannot be started.
        CompilingFailed: a module cannot be compiled now.
        BlobUnusable: a module is damaged, too.
    """
    tags = {bytecode_tag(interpreter, level): level for level in levels}
    modules = [
        Module("" if row.source == NO_SOURCE else blob_name(row.source), 0, tags[row.tag])
        for row in sources_of_bytecode(index, lost)
        if row.tag in tags
    ]
    with closing(compile_modules(interpreter, store.blobs, modules, processes=os.cpu_count() or 1)) as results:
        for _, content in results:
            key = blake3(content).digest()
            if key in lost:
                yield key, content


def source_key(source: str) -> bytes:
    """The key of a module, from its link's source."""
    return blob_key(source) if len(source) > 1 else NO_SOURCE


def _size(store: Store, source: str) -> int:
    if len(source) < 2:
        return 0
    try:
        return os.stat(f"{store.blobs}/{source}").st_size
    except FileNotFoundError:
        raise BlobUnusable("bytecode", source, "is missing") from None
