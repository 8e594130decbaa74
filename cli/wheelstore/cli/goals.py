"""What an environment is to become: the manifest and the plan of the wheels that were chosen for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from blake3 import blake3

from wheelstore.cli.compiling import Bytecode, compiled_plan, known_plan
from wheelstore.cli.fetching import StoreFull
from wheelstore.cli.forms import unpacked
from wheelstore.cli.registering import Goal
from wheelstore.materialize.distribution import Blobs, Installed, Scheme, plan_environment
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.link import read_blob
from wheelstore.materialize.manifest import bytecode_word, manifest_content, manifest_digest
from wheelstore.materialize.plan import Plan, make_plan, pack
from wheelstore.store.blobs import blob_name
from wheelstore.store.compiled import CompiledModules
from wheelstore.store.filelist import columns
from wheelstore.store.index import Answer, Index
from wheelstore.store.index_bytecode import Holder
from wheelstore.store.ingest import Generated
from wheelstore.store.layout import Store
from wheelstore.store.lease import Lease
from wheelstore.store.lending import lend

NO_BYTECODE = Bytecode()
NOTHING = make_plan([], [], [], [])


def goal_of(
    installed: Sequence[Installed],
    interpreter: Interpreter,
    stamp: str,
    *,
    store: Store,
    index: Index,
    lease: Lease,
    key: str = "",
    inputs: str = "",
    bytecode: Bytecode = NO_BYTECODE,
) -> Goal:
    """The goal that holds exactly `installed`, kept in the index, as the answer to the question `key` if there is one.

    The `lease` protects the wheels already, and the manifest from here on. Where `bytecode` is wanted, what the store
    lacks is compiled.

    Raises:
        PathConflict: two of the wheels cannot be in one environment.
        StoreFull: what the plan needs beside the wheels cannot be written.
        InterpreterFailed: the interpreter cannot be started to compile.
        CompilingFailed: a module cannot be compiled now, though it may at another time; nothing of it is kept.
    """
    content = manifest_content(installed, interpreter.identity, bytecode=bytecode.levels)
    digest = manifest_digest(content)
    plan = unpacked(lease.plan(digest))
    if plan is None:
        plan = _new_plan(digest, content, installed, interpreter, bytecode, store=store, index=index, lease=lease)
    if store.writable:
        with index.writing():
            index.use_manifest(digest, now=time.time())
            if key:
                index.put_answer(key, Answer(digest, inputs))
    return Goal(digest, plan, key, inputs, interpreter, stamp, bytecode=bytecode_word(bytecode.levels))


def _new_plan(
    digest: str,
    content: bytes,
    installed: Sequence[Installed],
    interpreter: Interpreter,
    bytecode: Bytecode,
    *,
    store: Store,
    index: Index,
    lease: Lease,
) -> Plan:
    """Make the plan and, where the store is ours, keep it, protected by the `lease`."""
    if not store.writable:
        return _borrowed_plan(installed, interpreter, bytecode, store=store, index=index, lease=lease)
    generated = Generated(store, lease.directory)
    plan = plan_environment(installed, scheme_of(interpreter), Blobs(_reader(store), generated.put))
    wheels = [item.wheel.sha256 for item in installed]
    try:
        if bytecode.levels:
            holder = Holder(index, manifest_digest(content + lease.id.encode()), content, pack(NOTHING))
            incoming = CompiledModules(store, index, lease, holder)
            plan = compiled_plan(plan, interpreter, bytecode, incoming, store=store, index=index)
        packed = pack(plan)
        generated.stage()
        with index.writing():
            files = generated.publish()
            if bytecode.levels:
                holder.add(zip(*columns(files), strict=True))
                holder.become(digest, packed, wheels)
            else:
                index.put_manifest(digest, content, packed, now=time.time(), wheels=wheels, generated=files)
            lease.hold(digest)
    except OSError as error:
        raise StoreFull(f"put files into the store {store.root}", error.strerror or str(error)) from error
    return plan


def _borrowed_plan(
    installed: Sequence[Installed],
    interpreter: Interpreter,
    bytecode: Bytecode,
    *,
    store: Store,
    index: Index,
    lease: Lease,
) -> Plan:
    """Make a plan for this operation alone, whose files are at `lease.blobs`; with what bytecode the store has."""
    made: dict[bytes, bytes] = {}

    def keep(data: bytes) -> bytes:
        key = blake3(data).digest()
        made[key] = data
        return key

    plan = plan_environment(installed, scheme_of(interpreter), Blobs(_reader(store), keep))
    if bytecode.levels:
        plan = known_plan(plan, interpreter, bytecode.levels, index=index)
    names = [*plan.sources, *(one.source for one in plan.records), *(one.source for one in plan.scripts)]
    try:
        lease.blobs = lend(store.blobs, made, [name for name in names if len(name) > 1]) or store.blobs
    except OSError as error:
        raise StoreFull(f"make the files that {store.root} lacks", error.strerror or str(error)) from error
    return plan


def scheme_of(interpreter: Interpreter) -> Scheme:
    """Where environments of `interpreter` keep each kind of file."""
    return Scheme(
        purelib=interpreter.purelib,
        platlib=interpreter.platlib,
        scripts=interpreter.scripts,
        include=interpreter.include,
    )


def _reader(store: Store) -> Callable[[bytes], bytes]:
    def read(key: bytes) -> bytes:
        return read_blob(store.blobs, blob_name(key), "the plan of an environment")

    return read
