"""From what is asked for to an answer: targets, direct sources, builds, and the solver for each target."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wheelstore.cli.lock_request import LockRequest
from wheelstore.cli.sources import Sources
from wheelstore.resolve.dependencies import parse_dependency
from wheelstore.resolve.direct_sources import Direct, DirectSources, find_direct
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.inputs import Inputs
from wheelstore.resolve.metadata import BadMetadata, parse_metadata
from wheelstore.resolve.metadata_source import MetadataSource
from wheelstore.resolve.moments import BadMoment, parse_moment
from wheelstore.resolve.pins import IndexSource, Source, normalize
from wheelstore.resolve.platforms import with_platform, with_python
from wheelstore.resolve.problem import (
    Answer,
    Chosen,
    Given,
    Metadata,
    Preference,
    Prereleases,
    Problem,
    Rules,
    Selected,
)
from wheelstore.resolve.projects import Catalog
from wheelstore.resolve.requirements_options import ALL, LockOptions
from wheelstore.resolve.solving import solve
from wheelstore.resolve.target import Target

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelstore.cli.builders import IsolatedBuilder
    from wheelstore.cli.opening import Opening
    from wheelstore.materialize.interpreter import Interpreter
    from wheelstore.resolve.problem import Dependency
    from wheelstore.resolve.simple import IndexFile


class BadWord(ResolveError):
    """The value of an option makes no sense."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(option, reason)
        self.option, self.reason = option, reason

    def __str__(self) -> str:
        return f"{self.option}: {self.reason}"


def target_of(request: LockRequest, interpreter: Interpreter) -> Target:
    """The one target of a lock that is not for several."""
    target = Target.of(interpreter)
    if request.python_platform is not None:
        target = with_platform(target, request.python_platform)
    if request.python_version is not None:
        target = with_python(target, request.python_version)
    return target


def rules_of(request: LockRequest, options: LockOptions, *, now: float) -> Rules:
    """What options and inputs say about which files and versions may be taken.

    Raises:
        BadWord: a moment that is none, a package pinned to an index that has no name.
    """
    prereleases = request.prerelease or ("allow" if options.pre else Prereleases.IF_NECESSARY_OR_EXPLICIT.value)
    for_one = (_pair("--exclude-newer-package", text) for text in request.exclude_newer_packages)
    return Rules(
        preference=Preference(request.resolution),
        prereleases=Prereleases(prereleases),
        exclude_newer=_moment("--exclude-newer", request.exclude_newer, now) if request.exclude_newer else None,
        exclude_newer_package={
            normalize(name): _moment("--exclude-newer-package", text, now) for name, text in for_one
        },
        no_binary=_selected(request.no_binary, options.no_binary),
        only_binary=_selected(request.only_binary, options.only_binary),
        no_dependencies=request.no_dependencies,
        pinned_indexes=_pinned(request),
    )


def depends_on_now(request: LockRequest) -> bool:
    """Whether the same words mean something else a second later."""
    texts = (request.exclude_newer, *(text.partition("=")[2] for text in request.exclude_newer_packages))
    return any(_moment("", text, 0.0) != _moment("", text, 1.0) for text in texts if text)


def named_indexes(request: LockRequest) -> dict[str, str]:
    """The URLs of ``--index``, by name, or by themselves."""
    found: dict[str, str] = {}
    for text in request.indexes:
        name, equals, url = text.partition("=")
        is_named = equals and "/" not in name and ":" not in name
        found[name if is_named else text] = url if is_named else text
    return found


def _pinned(request: LockRequest) -> dict[str, str]:
    indexes = named_indexes(request)
    pinned: dict[str, str] = {}
    for text in request.pins:
        package, name = _pair("--pin-index", text)
        if name not in indexes and "://" not in name:
            raise BadWord("--pin-index", f"there is no --index {name}=URL")
        pinned[normalize(package)] = indexes.get(name, name)
    return pinned


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise BadWord(option, f"{text!r} is not NAME=VALUE")
    return name, value


def _moment(option: str, text: str, now: float) -> float:
    try:
        return parse_moment(text, now=now)
    except BadMoment as error:
        raise BadWord(option, str(error)) from None


def _selected(words: Iterable[str], lines: Iterable[str]) -> Selected:
    names: set[str] = set(lines)
    for word in (part for text in words for part in text.split(",")):
        if word == ":none:":
            names.clear()
        else:
            names.add(word if word == ALL else normalize(word))
    return Selected(everything=ALL in names, names=frozenset(names - {ALL}))


@dataclass(slots=True)
class Builds:
    """A builder that is only made when something has to be built; what it found of direct sources is kept."""

    make: Callable[[], IsolatedBuilder]
    opening: Opening
    stack: ExitStack
    found: dict[Source, Direct] = field(default_factory=dict)
    _builder: IsolatedBuilder | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def builder(self) -> IsolatedBuilder:
        """The one builder."""
        with self._lock:
            if self._builder is None:
                self._builder = self.stack.enter_context(self.make())
            return self._builder

    @property
    def identity(self) -> str:
        """The interpreter that backends run under."""
        return self.opening.interpreter[0].identity

    def metadata(self, name: str, file: IndexFile) -> bytes:
        """METADATA out of an sdist, as `MetadataSource` asks for it."""
        return self.builder.metadata(name, file)

    def direct(self, source: Source) -> Direct:
        """What is at a direct source."""
        assert not isinstance(source, IndexSource)
        if source not in self.found:
            told = self.builder.metadata_of_source(source)
            try:
                metadata = parse_metadata(told.metadata)
            except BadMetadata as error:
                raise BadMetadata(error.reason, where=str(source)) from None
            self.found[source] = Direct(told.source, metadata, told.files)
        return self.found[source]


@dataclass(frozen=True, slots=True)
class Locker:
    """Solves what one command asks for."""

    request: LockRequest
    rules: Rules
    sources: Sources
    reader: MetadataSource
    catalog: Catalog
    builds: Builds

    def complete(self, inputs: Inputs) -> Inputs:
        """The inputs with what only a build tells."""
        return inputs.completed({source: self._metadata(source) for source in inputs.sources_to_build})

    def _metadata(self, source: Source) -> Metadata:
        return self.builds.direct(source).metadata

    def problem(
        self,
        inputs: Inputs,
        target: Target,
        *,
        preferred: Mapping[str, Version],
        constraints: Sequence[Given] = (),
    ) -> Problem:
        """What is to be solved for one target."""
        return Problem(
            roots=inputs.roots,
            target=target,
            constraints=(*inputs.constraints, *constraints),
            overrides=inputs.overrides,
            excludes=inputs.excludes,
            preferred=preferred,
            rules=self.rules,
        )

    def direct(self, problem: Problem) -> DirectSources:
        """The direct sources of a problem, for its target."""

        def describe(dependency: Dependency) -> Direct:
            return self.builds.direct(dependency.source)

        return find_direct(problem, describe)

    def solve(self, problem: Problem) -> Answer:
        """The answer for one target.

        Raises:
            NoAnswer, ResolveError: there is none.
        """
        return solve(problem, self.catalog, self.direct(problem))


def builds_of(
    request: LockRequest,
    sources: Sources,
    opening: Opening,
    *,
    stack: ExitStack,
    say: Callable[[str], None],
    environ: Mapping[str, str],
) -> Builds:
    """The means to build what has no metadata of its own, in environments of the interpreter."""

    def make() -> IsolatedBuilder:
        from wheelstore.cli.build_environments import Workshop
        from wheelstore.cli.builders import IsolatedBuilder

        workshop = Workshop(opening.store, sources, *opening.interpreter, say)
        target = Target.of(opening.interpreter[0])
        rules = Rules(only_binary=Selected(everything=True), pinned_indexes=_pinned(request))

        def resolve_build(requirements: Sequence[str]) -> Sequence[Chosen]:
            return _resolve_build(requirements, sources, target, rules, offline=request.offline)

        return IsolatedBuilder(workshop, resolve_build, environ, offline=request.offline)

    return Builds(make, opening, stack)


def _resolve_build(
    requirements: Sequence[str], sources: Sources, target: Target, rules: Rules, *, offline: bool
) -> Sequence[Chosen]:
    """What a build requires, out of wheels only."""
    facts = sources.indexes.facts
    reader = MetadataSource(sources.transport, facts, offline=offline)
    with closing(Catalog(sources.indexes, reader, rules=rules)) as catalog:
        roots = tuple(Given(parse_dependency(text), "the build", "the build") for text in requirements)
        answer = solve(Problem(roots=roots, target=target, rules=rules), catalog, DirectSources({}, {}))
    reader.flush()
    return answer.chosen


def now() -> float:
    """The time, in seconds since the epoch."""
    return time.time()
