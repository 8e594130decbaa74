"""`store lock` where nothing has changed since the lock was made: the lock of last time, in 30 ms.

Anything unusual returns None, and `locking` does it in full. On the warm path.
"""

from __future__ import annotations

import os
import time

from wheelstore.cli.lock_memory import (
    Words,
    default_inputs,
    earlier_of,
    files_hold,
    question,
    read_words,
    with_earlier,
    write_output,
)
from wheelstore.cli.request import default_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelstore.materialize.interpreter import Interpreter

_ANSWER = "SELECT inputs, said, output FROM answers WHERE key = ?"
_CHANGED = """SELECT 1 FROM answer_pages a LEFT JOIN pages p ON p.url = a.url
WHERE a.key = ? AND (p.url IS NULL OR p.body <> a.body OR p.fresh_until <= ?) LIMIT 1"""


def lock_warm(arguments: list[str], environ: Mapping[str, str], started: float) -> int | None:
    """Write the lock from what is remembered; None if it takes more than that (nothing is changed then)."""
    words = read_words(arguments)
    if words is None or not words.plain or "STORE_OFFLINE" in environ:
        return None
    store = words.store or ""
    store = os.path.abspath(os.path.expanduser(store)) if store else default_store(environ)
    if not os.path.exists(f"{store}/resolve.sqlite3") or not os.path.exists(f"{store}/index.sqlite3"):
        return None
    found = _recall(words, store, environ)
    if found is None:
        return None
    said, output = found
    tell_answer(words, said, output, started)
    return 0


def _recall(words: Words, store: str, environ: Mapping[str, str]) -> tuple[str, bytes] | None:
    inputs = words.inputs or default_inputs(os.getcwd())
    if not inputs:
        return None
    interpreter = _interpreter(words.python or environ.get("STORE_PYTHON") or None, store, environ)
    asked = question(words, inputs, interpreter, environ)
    if asked is None:
        return None
    key = with_earlier(asked, earlier_of(words))
    import sqlite3

    try:
        connection = sqlite3.connect(f"{store}/resolve.sqlite3")
        try:
            connection.execute("BEGIN")  # both are of one moment
            row = connection.execute(_ANSWER, (key,)).fetchone()
            if row is None or not files_hold(row[0]):
                return None
            now = 0.0 if words.offline else time.time()
            changed = connection.execute(_CHANGED, (key, now)).fetchone()
            return None if changed is not None else (row[1], row[2])
        finally:
            connection.close()
    except sqlite3.Error:
        return None


def _interpreter(python: str | None, store: str, environ: Mapping[str, str]) -> Interpreter:
    from wheelstore.cli.interpreters import find, memory_of
    from wheelstore.store.index import open_index
    from wheelstore.store.layout import open_store

    opened = open_store(store)
    index = open_index(opened.index_path)
    try:
        return find(python, memory_of(opened, index), environ)[0]
    finally:
        index.leave()


def tell_answer(words: Words, said: str, output: bytes, started: float) -> None:
    """Write a lock to its place, and what there is to say of it."""
    import sys

    from wheelstore.cli.console import Console

    packages, *warnings = said.split("\n")
    console = Console(quiet=words.quiet)
    for warning in warnings:
        console.warn(warning)
    if words.output is None:
        sys.stdout.write(output.decode())
        sys.stdout.flush()
    else:
        write_output(words.output, output)
    console.say(locked_line(len(packages.split()), time.perf_counter() - started))


def locked_line(count: int, seconds: float) -> str:
    """The line that ends a lock: ``Locked 96 packages in 85ms``."""
    from wheelstore.cli.summary import counted, duration

    return f"Locked {counted(count, 'package')} in {duration(seconds)}"
