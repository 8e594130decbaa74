"""`store lock` in full: inputs, what is remembered, direct sources, solving, writing, remembering."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from wheelstore.cli.console import Console, write_json
from wheelstore.cli.interpreters import using
from wheelstore.cli.lock_memory import write_output
from wheelstore.cli.lock_recall import Recollection
from wheelstore.cli.lock_request import LockRequest
from wheelstore.cli.lock_solving import Locker, builds_of, named_indexes, now, rules_of, target_of
from wheelstore.cli.lock_warm import locked_line
from wheelstore.cli.lock_writing import check_output, is_toml, written
from wheelstore.cli.opening import Opening
from wheelstore.cli.sources import Sources, open_sources
from wheelstore.resolve.earlier_pins import EarlierPins, earlier_pins
from wheelstore.resolve.indexes import Indexes
from wheelstore.resolve.inputs import Inputs, read_inputs
from wheelstore.resolve.metadata_source import MetadataSource
from wheelstore.resolve.pins import INDEX
from wheelstore.resolve.problem import Answer, Rules
from wheelstore.resolve.projects import Catalog
from wheelstore.resolve.requirements_lines import Variables
from wheelstore.resolve.solving import NoAnswer
from wheelstore.resolve.universal import CellError
from wheelstore.resolve.write_requirements import unhashed

_NAMES = 3  # that are said before "and more"


def run_lock(request: LockRequest, opening: Opening, *, started: float, environ: Mapping[str, str] = os.environ) -> int:
    """Carry out `request` in what `opening` opens, and report on it; the exit status.

    Raises:
        StoreError, ResolveError: what the user has to know; the output is as it was.
    """
    check_output(request)
    console = Console(quiet=request.quiet, verbose=request.verbose)
    named = named_indexes(request)
    if named:
        request = replace(request, extra_index_urls=(*named.values(), *request.extra_index_urls))
    lock = _Lock(request, opening, console, environ)
    try:
        made = lock.run()
    except (NoAnswer, CellError) as error:
        told = _no_answer(error)
        if told is None or not request.json:
            raise told or error from None
        data = told.explanation.data
        write_json({"error": told.headline, "lines": told.lines, "hints": told.hints, "derivation": data})
        return 1
    _tell(made, request, console, time.perf_counter() - started)
    return 0


@dataclass(frozen=True, slots=True)
class Made:
    """A lock: its bytes, what it has (``name==version``), and what deserves a warning."""

    output: bytes
    packages: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def said(self) -> str:
        """What is remembered beside the bytes."""
        return "\n".join((" ".join(self.packages), *self.warnings))

    @classmethod
    def recalled(cls, said: str, output: bytes) -> Made:
        """The same out of what was remembered."""
        packages, *warnings = said.split("\n")
        return cls(output, tuple(packages.split()), tuple(warnings))


@dataclass(frozen=True, slots=True)
class _Lock:
    request: LockRequest
    opening: Opening
    console: Console
    environ: Mapping[str, str]

    def run(self) -> Made:
        """The lock, from what is remembered or by solving."""
        request = self.request
        inputs = self._inputs()
        earlier = earlier_pins(
            Path(request.output) if request.output is not None else None,
            upgrade=request.upgrade,
            upgrade_packages=request.upgrade_packages,
        )
        rules = rules_of(request, inputs.options, now=now())
        with ExitStack() as stack:
            sources = stack.enter_context(
                open_sources(
                    request,
                    inputs.options,
                    store=self.opening.store,
                    environ=self.environ,
                    index_strategy=request.index_strategy,
                    refresh=request.refresh,
                    stale_if_error=True,
                )
            )
            made = self._with(inputs, earlier, rules, sources, stack)
            for origin, error in sources.indexes.unreachable().items():
                self.console.warn(f"{origin.host} does not answer, so that its pages are used as last seen: {error}")
        return made

    def _inputs(self) -> Inputs:
        request = self.request
        return read_inputs(
            request.inputs,
            variables=Variables(self.environ),
            stdin=sys.stdin.buffer.read() if "-" in request.inputs else None,
            constraints=[Path(path) for path in request.constraints],
            overrides=[Path(path) for path in request.overrides],
            excludes=[Path(path) for path in request.excludes],
            extras=request.extras,
            all_extras=request.all_extras,
            groups=request.groups,
        )

    def _with(self, inputs: Inputs, earlier: EarlierPins, rules: Rules, sources: Sources, stack: ExitStack) -> Made:
        request, environ, opening = self.request, self.environ, self.opening
        facts, offline = sources.indexes.facts, sources.indexes.offline
        builds = builds_of(request, sources, opening, stack=stack, say=self.console.say, environ=environ)
        reader = MetadataSource(sources.transport, facts, builder=builds, offline=offline)
        catalog = stack.enter_context(closing(Catalog(sources.indexes, reader, rules=rules)))
        stack.callback(reader.flush)
        catalog.want(_certain(inputs))  # while the interpreter may still be starting
        interpreter, _ = opening.interpreter
        self.console.detail(f"{using(interpreter)} {interpreter.executable}")
        recollection = Recollection.of(request, interpreter, inputs, earlier, sources, catalog, environ=environ)
        if self.request.memo and (found := recollection.recall()) is not None:
            return Made.recalled(*found)
        self.console.detail(f"Looking in {', '.join(sources.indexes.sources) or 'no index'}")
        locker = Locker(self.request, rules, sources, reader, catalog, builds)
        try:
            answer, inputs = self._solve(locker, inputs, earlier)
        finally:
            self._tell_passed_over(sources.indexes)
        answer = _hashed(answer, sources.indexes)
        output = written(answer, self.request, inputs, rules=rules, where=sources.indexes.options)
        warnings = (*earlier.warnings, *_yanked(answer), *_without_hashes(answer, request), *self._pythons(inputs))
        made = Made(output, tuple(f"{one.name}=={one.version}" for one in answer.chosen), warnings)
        sources.indexes.flush()
        recollection.remember(made.said, output, answer, reader=reader)
        return made

    def _tell_passed_over(self, indexes: Indexes) -> None:
        for project, names in indexes.passed_over().items() if self.console.verbose else ():
            more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
            self.console.detail(f"{project}: no version (PEP 440), passed over: {', '.join(names[:_NAMES])}{more}")

    def _solve(self, locker: Locker, inputs: Inputs, earlier: EarlierPins) -> tuple[Answer, Inputs]:
        request = self.request
        inputs = locker.complete(inputs)
        target = target_of(request, self.opening.interpreter[0])
        preferred = earlier.preferred_on(target.markers)
        problem = locker.problem(inputs, target, preferred=preferred, constraints=earlier.constraints)
        if not request.universal and not request.targets:
            return locker.solve(problem), inputs
        from wheelstore.cli.lock_targets import cells_of, solve_for_targets

        minor = ".".join(target.python.split(".")[:2])
        return solve_for_targets(locker, problem, cells_of(request, inputs, minor), earlier), inputs

    def _pythons(self, inputs: Inputs) -> list[str]:
        """What to say of projects that do not want this Python."""
        from wheelstore.resolve.candidates import admits_python

        python = target_of(self.request, self.opening.interpreter[0]).python
        if self.request.universal or self.request.targets:
            return []
        return [
            f"{one.position} requires Python {one.specifier}, and this lock is for {python}"
            for one in inputs.requires_python
            if not admits_python(one.specifier, python)
        ]


def _certain(inputs: Inputs) -> list[str]:
    """Projects whose pages will be asked for, whatever the target is."""
    plain = (given.dependency for given in inputs.roots)
    return [one.name for one in plain if one.source is INDEX and one.marker is None and one.name not in inputs.excludes]


def _hashed(answer: Answer, indexes: Indexes) -> Answer:
    """The answer with the hashes of the files on this machine, whose pages have none."""
    if all(file.hashes for one in answer.chosen for file in one.files):
        return answer
    chosen = (replace(one, files=tuple(map(indexes.hashed, one.files))) for one in answer.chosen)
    return replace(answer, chosen=tuple(chosen))


def _without_hashes(answer: Answer, request: LockRequest) -> list[str]:
    """What to say of a lock that has hashes for a part of it, which nobody installs as it is."""
    missing = [one.name for one in unhashed(answer) if one.name not in request.looks.omitted]
    if not missing or len(missing) == len(answer.chosen) or not request.looks.hashes or is_toml(request):
        return []
    names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return [f"there is no hash for {names}: store sync and pip take a lock with hashes for all, or none (--no-hashes)"]


def _yanked(answer: Answer) -> list[str]:
    found = []
    for one in answer.chosen:
        reasons = {file.yanked for file in one.files}
        if reasons and None not in reasons:
            reason = next(iter(sorted(text for text in reasons if text)), "")
            found.append(f"{one.name}=={one.version} is yanked{f' ({reason})' if reason else ''}")
    return found


def _tell(made: Made, request: LockRequest, console: Console, seconds: float) -> None:
    for warning in made.warnings:
        console.warn(warning)
    if not request.dry_run and request.output is not None:
        write_output(request.output, made.output)
    if request.json:
        pairs = (one.partition("==")[::2] for one in made.packages)
        write_json(
            {
                "output": request.output,
                "packages": len(made.packages),
                "locked": [{"name": name, "version": version} for name, version in pairs],
                "lock": made.output.decode(),
                "warnings": list(made.warnings),
                "seconds": round(seconds, 3),
            }
        )
        return
    if request.dry_run or request.output is None:
        sys.stdout.write(made.output.decode())
        sys.stdout.flush()
    console.say(locked_line(len(made.packages), seconds))


def _no_answer(error: NoAnswer | CellError) -> NoAnswer | None:
    """The explanation that an error is or has, whose headline says for which of several targets it is."""
    if isinstance(error, NoAnswer):
        return error
    if not isinstance(error.error, NoAnswer):
        return None
    error.error.headline = f"{error.error.headline} for {error.cell}"
    return error.error
