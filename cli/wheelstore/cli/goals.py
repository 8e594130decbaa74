"""What an environment is to become: the manifest and the plan of the wheels that were chosen for it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from wheelstore.cli.environments import Goal, known_plan
from wheelstore.materialize.distribution import Blobs, Installed, Scheme, plan_environment
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.manifest import manifest_content, manifest_digest
from wheelstore.materialize.plan import pack
from wheelstore.store.blobs import blob_name
from wheelstore.store.index import Answer, Index
from wheelstore.store.ingest import put_blob
from wheelstore.store.layout import Store


def goal_of(
    installed: Sequence[Installed],
    interpreter: Interpreter,
    stamp: str,
    *,
    store: Store,
    index: Index,
    key: str = "",
    inputs: str = "",
) -> Goal:
    """The goal that holds exactly `installed`, kept in the index, as the answer to the question `key` if there is one.

    Raises:
        PathConflict: two of the wheels cannot be in one environment.
    """
    content = manifest_content(installed, interpreter.identity)
    digest = manifest_digest(content)
    plan = known_plan(index, digest) or plan_environment(installed, scheme_of(interpreter), blobs_in(store))
    if store.writable:
        now = time.time()
        with index.writing():
            index.put_manifest(digest, content, pack(plan), now=now)
            if key:
                index.put_answer(key, Answer(digest, inputs), now=now)
    return Goal(digest, plan, key, inputs, interpreter, stamp)


def scheme_of(interpreter: Interpreter) -> Scheme:
    """Where environments of `interpreter` keep each kind of file."""
    return Scheme(
        purelib=interpreter.purelib,
        platlib=interpreter.platlib,
        scripts=interpreter.scripts,
        include=interpreter.include,
    )


def blobs_in(store: Store) -> Blobs:
    """How plans read and make blobs in `store`."""
    directory, tmp = store.blobs, store.tmp

    def read(key: bytes) -> bytes:
        with open(f"{directory}/{blob_name(key)}", "rb") as stream:
            return stream.read()

    return Blobs(read=read, put=lambda data: put_blob(directory, tmp, data))
