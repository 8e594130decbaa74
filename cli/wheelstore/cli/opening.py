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


class Opening:
    """The store at a path, at once, and the interpreter that `python` names with its stamp, as soon as it is there.

    Raises:
        StoreError: the store cannot be opened.
    """

    def __init__(self, store: str, python: str | None, environ: Mapping[str, str]) -> None:
        self.store = open_store(store)
        # Made here: each of its many calls would have a thread wait for 5 ms until the imports let it go on.
        open_index(self.store.index_path).leave()
        self._interpreter: tuple[Interpreter, str] | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._find, args=(python, environ), name="opening", daemon=True)
        self._thread.start()

    def _find(self, python: str | None, environ: Mapping[str, str]) -> None:
        try:
            with open_index(self.store.index_path) as index:
                self._interpreter = find(python, memory_of(self.store, index), environ)
        except BaseException as error:
            self._error = error

    @property
    def interpreter(self) -> tuple[Interpreter, str]:
        """The interpreter and its stamp.

        Raises:
            StoreError: there is none, or it does not start.
        """
        self._thread.join()
        if self._interpreter is None:
            assert self._error is not None
            raise self._error
        return self._interpreter
