"""Solve a problem: the answer, or a proof that there is none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nab_resolver.errors import ResolutionError, ResolutionTerminatedError
from nab_resolver.resolver import Resolver
from nab_resolver.types import RootRequirement

from wheelstore.resolve.dependencies import applies
from wheelstore.resolve.direct_sources import DirectSources
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.problem import Answer, Chosen, Given, Problem
from wheelstore.resolve.projects import Catalog
from wheelstore.resolve.provider import Provider, extras_of, split
from wheelstore.resolve.ranges import FULL, Range

if TYPE_CHECKING:
    from nab_resolver.types import Incompatibility

    from wheelstore.resolve.explanation import Explanation

_MOST_ROUNDS = 200_000


class NoAnswer(ResolveError):
    """Nothing satisfies the requirements. ``proof`` is the root of a derivation; ``provider`` has the facts in it.

    The text has a sentence per line: ``lines``, to be shown below ``headline``.
    """

    headline = "nothing satisfies the requirements"

    def __init__(self, proof: Incompatibility[Any, Any], provider: Provider) -> None:
        super().__init__()
        self.proof, self.provider = proof, provider

    @cached_property
    def explanation(self) -> Explanation:
        """Why, made when it is asked for."""
        from wheelstore.resolve.explanation import explain

        return explain(self.proof, self.provider)

    @property
    def lines(self) -> tuple[str, ...]:
        """The sentences, one after the other."""
        return tuple(self.explanation.text.splitlines())

    @property
    def hints(self) -> tuple[str, ...]:
        """What may help."""
        return self.explanation.hints

    @property
    def hint(self) -> str | None:  # type: ignore[override]
        """The same as one text."""
        return "\n".join(self.hints) or None

    def __str__(self) -> str:
        return self.explanation.text


class TooHard(ResolveError):
    """The solver gave up."""

    hint = "narrow the requirements: give lower bounds to what has many versions"

    def __str__(self) -> str:
        return f"no answer was found within {_MOST_ROUNDS:,} rounds"


class OtherFiles(ResolveError):
    """A requirement names hashes that no file of the version has."""

    hint = "files have changed, or the hash is of another version: find out why before you accept a new one"

    def __init__(self, given: Given, chosen: Chosen) -> None:
        super().__init__(given, chosen)
        self.given, self.chosen = given, chosen

    def __str__(self) -> str:
        named, files = self.given.dependency.hashes, self.chosen.files
        more = f" (or another of {len(named)})" if len(named) > 1 else ""
        there = files[0].hashes[0] if len(files) == 1 and files[0].hashes else f"{len(files)} files with other hashes"
        place = f"{self.given.position}: {self.chosen.name} {self.chosen.version}"
        return f"{place} has no file with {named[0]}{more}, but {there if files else 'no archive that could have one'}"


def solve(problem: Problem, catalog: Catalog, direct: DirectSources) -> Answer:
    """The best versions that satisfy everything.

    Raises:
        NoAnswer: there is none.
        ResolveError: an index cannot be asked, and the like.
    """
    provider = Provider(problem, catalog, direct)
    roots = [given for given in problem.roots if applies(given.dependency, problem.target.markers)]
    roots = [given for given in _overridden(roots, problem) if given.dependency.name not in problem.excludes]
    constraints = [given for given in problem.constraints if applies(given.dependency, problem.target.markers)]
    catalog.want(given.dependency.name for given in roots if not direct.has_name(given.dependency.name))
    requirements = [one for given in roots for one in _required(given, provider)]
    resolver: Resolver[str, int] = Resolver(provider, max_iterations=_MOST_ROUNDS, range_type=Range)
    try:
        solution = resolver.solve(requirements, _limits(constraints, provider))
    except ResolutionTerminatedError as error:
        raise TooHard from error
    except ResolutionError as error:
        if error.incompatibility is None:
            raise TooHard from error
        raise NoAnswer(error.incompatibility, provider) from None
    answer = _answer(provider, solution.pins, roots, constraints)
    return _only_named(answer, roots) if any(given.dependency.hashes for given in roots) else answer


def _only_named(answer: Answer, roots: Iterable[Given]) -> Answer:
    """Leave of what has hashes in the inputs (`--hash`) the files that these name.

    Raises:
        OtherFiles: there is none among them.
    """
    chosen = {one.name: one for one in answer.chosen}
    for given in roots:
        named, name = {text.lower() for text in given.dependency.hashes}, given.dependency.name
        if named.difference(getattr(given.dependency.source, "hashes", ())) and name in chosen:  # those were checked
            files = tuple(file for file in chosen[name].files if named.intersection(file.hashes))
            if not files:
                raise OtherFiles(given, chosen[name])
            chosen[name] = replace(chosen[name], files=files)
    return replace(answer, chosen=tuple(chosen.values()))


def _overridden(roots: Iterable[Given], problem: Problem) -> list[Given]:
    """An override replaces what the inputs say, too."""
    overrides: dict[str, list[Given]] = {}
    for given in problem.overrides:
        overrides.setdefault(given.dependency.name, []).append(given)
    found: list[Given] = []
    done: set[str] = set()
    for given in roots:
        name = given.dependency.name
        if name not in overrides:
            found.append(given)
        elif name not in done:
            done.add(name)
            found += [
                one._replace(origin=given.origin)
                for one in overrides[name]
                if applies(one.dependency, problem.target.markers)
            ]
    return found


def _required(given: Given, provider: Provider) -> list[RootRequirement[str, int]]:
    dependency = given.dependency
    allowed = provider.range_of(dependency)
    packages = [dependency.name, *(f"{dependency.name}[{extra}]" for extra in sorted(dependency.extras))]
    return [RootRequirement(package, allowed, given) for package in packages]


def _limits(constraints: Iterable[Given], provider: Provider) -> dict[str, Any]:
    """What constraints leave of each project; whether it is needed at all is not theirs to say."""
    limits: dict[str, Any] = {}
    names = (given.dependency.name for given in constraints)
    provider.catalog.want(name for name in names if not provider.direct.has_name(name))
    for given in constraints:
        name = given.dependency.name
        limits[name] = limits.get(name, FULL) & provider.range_of(given.dependency)
    return limits


def _answer(provider: Provider, pins: dict[str, int], roots: list[Given], constraints: list[Given]) -> Answer:
    extras = extras_of(pins)
    via: dict[str, dict[str, None]] = {name: {} for name in extras}
    depends: dict[str, dict[str, None]] = {name: {} for name in extras}
    for package, number in pins.items():
        name, extra = split(package)
        for dependency in provider.depended(name, number, extra):
            if dependency.name != name and dependency.name in via:
                via[dependency.name][name] = None
                depends[name][dependency.name] = None
    for given in (*roots, *constraints):
        if given.dependency.name in via:
            via[given.dependency.name][given.origin] = None
    chosen = [
        _chosen(provider, name, pins[name], extras[name], tuple(via[name]), tuple(sorted(depends[name])))
        for name in sorted(extras)
    ]
    return Answer(chosen=tuple(chosen))


def _chosen(
    provider: Provider, name: str, number: int, extras: frozenset[str], via: tuple[str, ...], depends: tuple[str, ...]
) -> Chosen:
    from packaging.utils import canonicalize_name

    direct = provider.direct.chosen(name)
    metadata = provider.metadata(name, number)
    project = provider.project(name)
    if direct is not None:
        return Chosen(
            name=canonicalize_name(name),
            version=project.version(number),
            extras=extras,
            files=direct.files,
            source=direct.source,
            via=via,
            requires_python=metadata.requires_python,
            dependencies=depends,
        )
    usable = project.look(number, rules=provider.problem.rules, target=provider.problem.target, pinned=True)
    assert usable is not None
    return Chosen(
        name=canonicalize_name(name),
        version=project.version(number),
        extras=extras,
        files=usable.files,
        location=project.location(number),
        via=via,
        requires_python=metadata.requires_python,
        dependencies=depends,
    )
