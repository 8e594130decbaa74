"""Locks that were made before, where the full command has what it takes to ask whether they still hold."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from wheelstore.cli.lock_memory import (
    earlier_of,
    files_hold,
    pack_files,
    question,
    read_words,
    with_earlier,
)
from wheelstore.cli.lock_request import LockRequest
from wheelstore.cli.lock_solving import depends_on_now
from wheelstore.cli.pip_files import configuration_files
from wheelstore.cli.sources import Sources, surroundings
from wheelstore.materialize.interpreter import Interpreter
from wheelstore.resolve.earlier_pins import EarlierPins
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.facts import LockAnswer
from wheelstore.resolve.find_links import local_path
from wheelstore.resolve.inputs import Inputs
from wheelstore.resolve.metadata_source import MetadataSource
from wheelstore.resolve.pins import IndexSource, LockInput
from wheelstore.resolve.problem import Answer
from wheelstore.resolve.projects import Catalog


@dataclass(frozen=True, slots=True)
class Recollection:
    """The question of one command; without an `asked` one, nothing is recalled or remembered.

    `files` are what was read beside the inputs that were named, packed as they are before anything is solved; `read` is
    everything that was read, with the digests of the bytes that count.
    """

    request: LockRequest
    asked: bytes | None
    earlier: bytes | None
    files: str
    read: tuple[LockInput, ...]
    sources: Sources
    catalog: Catalog

    @classmethod
    def of(
        cls,
        request: LockRequest,
        interpreter: Interpreter,
        inputs: Inputs,
        earlier: EarlierPins,
        sources: Sources,
        catalog: Catalog,
        *,
        environ: Mapping[str, str],
    ) -> Recollection:
        """The question that a command's words are."""
        words = read_words(request.arguments)
        depends = bool(inputs.environment_names or inputs.sources_to_build or earlier.warnings)
        if words is None or depends or depends_on_now(request):
            return cls(request, None, None, "", (), sources, catalog)
        asked = question(words, request.inputs, interpreter, environ)
        all_read = tuple(one for one in (*inputs.inputs, *earlier.inputs) if str(one.path) != "-")
        read = [str(one.path) for one in inputs.inputs if str(one.path) != "-"]
        settings = configuration_files(surroundings(environ))
        places = (_here(one) for one in sources.indexes.sources)
        files = [os.path.abspath(path) for path in (*read, *settings, *filter(None, places))]
        named = {os.path.abspath(path) for path in request.inputs}
        kept = pack_files(path for path in files if path not in named)
        return cls(request, asked, earlier_of(words), kept, all_read, sources, catalog)

    def recall(self) -> tuple[str, bytes] | None:
        """The lock of last time, with what is said of it, if it would come out again; indexes may be asked for that."""
        if self.asked is None:
            return None
        facts = self.sources.indexes.facts
        key = with_earlier(self.asked, self.earlier)
        found = facts.answer(key)
        if found is None or not files_hold(found[0].inputs):
            return None
        answer, pages = found
        try:
            self._ask_again(pages)
        except ResolveError:
            return None
        consulted = self.sources.indexes.consulted()
        for url, (_, body) in pages.items():
            if url in consulted:
                if consulted[url].body != body:
                    return None
            else:
                page = facts.page(url)
                if page is None or page.body != body:
                    return None
        return answer.said, answer.output

    def _ask_again(self, pages: Mapping[str, tuple[str, bytes]]) -> None:
        """Look at the pages that are too old to be believed."""
        indexes = self.sources.indexes
        if indexes.offline:
            return
        moment = time.time()
        old = (url for url in pages if indexes.refresh or indexes.facts.fresh_until(url) <= moment)
        projects = {pages[url][0] for url in old}
        if "" in projects:  # a page of several projects is asked for with any of them
            projects = projects - {""} or {next((name for name, _ in pages.values() if name), "none")}
        self.catalog.want(sorted(projects))
        for project in sorted(projects):
            self.catalog.project(project)
        indexes.flush()

    def remember(self, said: str, output: bytes, answer: Answer, *, reader: MetadataSource) -> None:
        """Keep the lock, if it depends on nothing else than what can be looked at, and that has not changed meanwhile.

        It answers the same question also when it is itself the lock whose pins stay. What `reader` could not get may
        be there the next time, and then there is another answer.
        """
        indexes = self.sources.indexes
        if self.asked is None or indexes.offline or indexes.unreachable() or reader.has_failed:
            return
        if not files_hold(self.files) or not all(map(_is_unchanged, self.read)):
            return
        if not all(isinstance(one.source, IndexSource) for one in answer.chosen):
            return
        consulted = indexes.consulted()
        pages = {url: (page.project, page.body) for url, page in consulted.items() if not url.startswith("file:")}
        local = map(_here, consulted)
        here = pack_files((*map(_page_at, filter(None, local)), *reader.local_files))
        kept = LockAnswer("\x1e".join(filter(None, (self.files, here))), said, output)
        keys = {with_earlier(self.asked, self.earlier)}
        if self.request.output is not None and not self.request.upgrade:
            keys.add(with_earlier(self.asked, output))
        for key in keys:
            indexes.facts.remember_answer(key, kept, pages, used=time.time())


def _is_unchanged(read: LockInput) -> bool:
    try:
        return hashlib.sha256(read.path.read_bytes()).hexdigest() == read.sha256
    except OSError:
        return False


def _here(url: str) -> str | None:
    try:
        return local_path(url) if url.startswith("file:") else None
    except ValueError:  # another machine's
        return None


def _page_at(path: str) -> str:
    """The file that is read for the page at a path."""
    return path if path.endswith((".html", ".htm")) else os.path.join(path, "index.html")
