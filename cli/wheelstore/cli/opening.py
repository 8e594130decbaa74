"""A command's store and interpreter, opened by a thread while the program still loads.

Asking an interpreter that is not known yet takes the time that it needs to start, on another processor.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from wheelstore.cli.interpreters import find, memory_of
from wheelstore.store.index import open_index
from wheelstore.store.layout import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelstore.materialize.interpreter import Interpreter
    from wheelstore.store.layout import Store


class Opening:
    """The store at a path, and the interpreter that `python` names with its stamp, as soon as they are there."""

    def __init__(self, store: str, python: str | None, environ: Mapping[str, str]) -> None:
        self._opened: tuple[Store, tuple[Interpreter, str]] | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._open, args=(store, python, environ), name="opening", daemon=True)
        self._thread.start()

    def _open(self, path: str, python: str | None, environ: Mapping[str, str]) -> None:
        try:
            store = open_store(path)
            with open_index(store.index_path) as index:
                self._opened = store, find(python, memory_of(store, index), environ)
        except BaseException as error:
            self._error = error

    def result(self) -> tuple[Store, tuple[Interpreter, str]]:
        """Wait for them.

        Raises:
            StoreError: the store cannot be opened, or there is no such interpreter.
        """
        self._thread.join()
        if self._opened is None:
            assert self._error is not None
            raise self._error
        return self._opened
