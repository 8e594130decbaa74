"""What an environment is to become: the manifest and the plan of the wheels that were chosen for it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from blake3 import blake3

from wheelstore.cli.environments import Goal, known_plan
from wheelstore.materialize.distribution import Blobs, Installed, Scheme, plan_environment
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.materialize.manifest import manifest_content, manifest_digest
from wheelstore.materialize.plan import pack
from wheelstore.store.blobs import blob_name
from wheelstore.store.errors import StoreError
from wheelstore.store.index import Answer, Index
from wheelstore.store.ingest import put_blob
from wheelstore.store.layout import Store


class PlanMissing(StoreError):
    """Someone else's store has the wheels, but not the small files that an environment needs beside them."""

    hint = "ask the store's owner to 'store add' the lock for this Python, or use a store of your own with --store"

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.root = root

    def __str__(self) -> str:
        return f"the store {self.root} is read-only here, and not prepared for this environment"


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
        PlanMissing: the store is read-only, and nobody has planned for these wheels and this interpreter.
    """
    content = manifest_content(installed, interpreter.identity)
    digest = manifest_digest(content)
    plan = known_plan(index, digest) or plan_environment(installed, scheme_of(interpreter), blobs_in(store))
    if store.writable:
        now = time.time()
        with index.writing():
            index.put_manifest(digest, content, pack(plan), now=now)
            if key:
                index.put_answer(key, Answer(digest, inputs))
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

    def make(data: bytes) -> bytes:
        try:
            return put_blob(directory, tmp, data)
        except OSError as error:
            from wheelstore.cli.fetching import StoreFull

            raise StoreFull(f"put files into the store {store.root}", error.strerror or str(error)) from error

    def find(data: bytes) -> bytes:
        key = blake3(data).digest()
        if not os.path.exists(f"{directory}/{blob_name(key)}"):
            raise PlanMissing(store.root)
        return key

    return Blobs(read=read, put=make if store.writable else find)
