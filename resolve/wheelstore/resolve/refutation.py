"""Why nothing satisfies some requirements, as few steps that a person can follow.

The solver's own proof goes version by version. Its leaves are facts, and from those alone a shorter one is made here:
what is required leaves a set of versions of each project, what all of these depend on is required in turn, and what
depends on something that is not left is ruled out. Where that does not lead to an end, a project's versions are
tried one by one, and those that fail in the same way make one step. Every step is true whatever the others are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from wheelstore.resolve.leaves import Clause, Core, Kind, Step
from wheelstore.resolve.provider import split

_MOST_WORK = 1_500_000  # looks at clauses, about a second
_NEEDING = (Kind.ROOT, Kind.NEEDED, Kind.SUPPOSED)


class _Ended(Exception):
    """It takes too long."""


class _State:
    """What is left of each project, and why."""

    def __init__(self, core: Core) -> None:
        self.core, self.work = core, [0]
        self.left = dict(core.known)
        self.banned: dict[str, int] = {}
        self.needed: dict[str, Step] = {}
        self.why: dict[str, list[tuple[int, Step]]] = {}

    def copy(self) -> _State:
        other = _State(self.core)
        other.work = self.work
        other.left, other.banned, other.needed = dict(self.left), dict(self.banned), dict(self.needed)
        other.why = {package: list(steps) for package, steps in self.why.items()}
        return other

    def effective(self, package: str) -> int:
        name = split(package)[0]
        return self.left[name] & ~self.banned.get(name, 0) & ~self.banned.get(package, 0)

    def keep(self, name: str, step: Step) -> None:
        self.left[name] &= step.bits
        self.why.setdefault(name, []).append((step.bits, step))

    def ban(self, package: str, step: Step, bits: int) -> None:
        self.banned[package] = self.banned.get(package, 0) | bits
        self.why.setdefault(package, []).append((~bits, step))

    def need(self, package: str, step: Step) -> None:
        self.needed.setdefault(package, step)
        self.needed.setdefault(split(package)[0], step)

    def reasons(self, package: str, is_enough: Callable[[int], bool]) -> tuple[Step, ...]:
        """The fewest of the reasons for what is left of a package that are enough, the newest dropped first."""
        name = split(package)[0]
        found = list(self.why.get(name, ()))
        if package != name:
            found += self.why.get(package, ())
        everything = self.core.known[name]
        found.sort(key=lambda one: one[1].kind is Kind.UNAVAILABLE)
        for candidate in reversed(list(found)):
            others = [one for one in found if one is not candidate]
            if is_enough(_common(everything, others)):
                found = others
        return tuple(self._about(step, found, everything, mask) for mask, step in found)

    def _about(self, step: Step, found: list[tuple[int, Step]], everything: int, mask: int) -> Step:
        """Of what cannot be taken, only what matters here."""
        if step.kind is not Kind.UNAVAILABLE:
            return step
        bits = ~mask & _common(everything, [one for one in found if one[1] is not step])
        return Step(kind=step.kind, package=step.package, bits=bits, reason=step.reason)

    def tick(self, count: int) -> None:
        self.work[0] += count
        if self.work[0] > _MOST_WORK:
            raise _Ended


def _common(everything: int, masks: Iterable[tuple[int, Step]]) -> int:
    for mask, _ in masks:
        everything &= mask
    return everything


def refute(core: Core) -> Step | None:
    """The last step of a refutation; None if none was found that is simple enough."""
    state = _State(core)
    for step in core.unavailable:
        state.ban(step.package, step, step.bits)
    for step in core.constraints:
        state.keep(step.package, step)
    for step in core.roots:
        state.need(step.package, step)
        state.keep(split(step.package)[0], step)
    try:
        while True:
            end = _propagate(state)
            if end is not None or not _try_cases(state):
                return end
    except _Ended:
        return None


def _propagate(state: _State) -> Step | None:
    for package in list(state.needed):
        if not state.effective(package):
            return _end(state, package)
    is_new = True
    while is_new:
        is_new = False
        for (package, dependency), clauses in state.core.clauses.items():
            state.tick(len(clauses))
            if package in state.needed and _require(state, package, dependency, clauses):
                is_new = True
                if not state.effective(dependency):
                    return _end(state, dependency)
        if is_new:
            continue
        for (package, dependency), clauses in state.core.clauses.items():
            state.tick(len(clauses))
            if _rule_out(state, package, dependency, clauses):
                is_new = True
                if package in state.needed and not state.effective(package):
                    return _end(state, package)
    return None


def _end(state: _State, package: str) -> Step:
    reasons = state.reasons(package, lambda left: left == 0)
    return Step(kind=Kind.NOTHING, package=package, bits=0, premises=_premises(state, package, reasons))


def _premises(state: _State, package: str, reasons: tuple[Step, ...]) -> tuple[Step, ...]:
    """The reasons, and that the package is needed at all, if none of them says so."""
    if any(step.kind in _NEEDING and step.package == package for step in reasons):
        return reasons
    return tuple(dict.fromkeys((state.needed[package], *reasons)))


def _joined(clauses: Iterable[Clause], among: int) -> tuple[int, int]:
    """The versions `among` that the clauses are about, and what they allow together."""
    covered = allowed = 0
    for clause in clauses:
        if clause.versions & among:
            covered |= clause.versions & among
            allowed |= clause.allowed
    return covered, allowed


def _require(state: _State, package: str, dependency: str, clauses: tuple[Clause, ...]) -> bool:
    versions = state.effective(package)
    covered, allowed = _joined(clauses, versions)
    if covered != versions or not versions:
        return False
    name = split(dependency)[0]
    if dependency in state.needed and not state.left[name] & ~allowed:
        return False

    def is_enough(left: int) -> bool:
        wider, permitted = _joined(clauses, left)
        return wider == left and not permitted & ~allowed & state.core.known[name]

    reasons = state.reasons(package, is_enough)
    step = Step(
        kind=Kind.NEEDED,
        package=dependency,
        bits=allowed,
        premises=_premises(state, package, reasons),
        clause=Clause(package, _common(state.core.known[split(package)[0]], _masks(reasons)), dependency, allowed),
    )
    state.need(dependency, step)
    state.keep(name, step)
    return True


def _masks(steps: Iterable[Step]) -> list[tuple[int, Step]]:
    out = (Kind.UNAVAILABLE, Kind.RULED_OUT, Kind.CASES)
    return [(~_gone(step) if step.kind in out else step.bits, step) for step in steps]


def _gone(step: Step) -> int:
    return step.likewise if step.kind is Kind.CASES else step.bits


def _rule_out(state: _State, package: str, dependency: str, clauses: tuple[Clause, ...]) -> bool:
    left, possible = state.effective(dependency), state.effective(package)
    hopeless = [clause for clause in clauses if clause.versions & possible and not clause.allowed & left]
    if not hopeless:
        return False
    versions, allowed = _joined(hopeless, possible)
    step = Step(
        kind=Kind.RULED_OUT,
        package=package,
        bits=versions,
        premises=state.reasons(dependency, lambda mask: not mask & allowed),
        clause=Clause(package, versions, dependency, allowed),
    )
    state.ban(package, step, versions)
    return True


def _try_cases(state: _State) -> bool:
    """Suppose one version after the other of each project that is needed; whether anything was ruled out by that."""
    for package in sorted(state.needed, key=lambda one: state.effective(one).bit_count()):
        if package != split(package)[0]:
            continue
        found: dict[tuple[Any, ...], list[tuple[int, tuple[Step, ...], tuple[Clause, ...]]]] = {}
        left = state.effective(package)
        for number in range(left.bit_length() - 1, -1, -1):
            if left >> number & 1:
                case = _suppose(state, package, number)
                if case is not None:
                    premises, clauses = case
                    shape = (*map(_likeness, premises), *((clause.package, clause.dependency) for clause in clauses))
                    found.setdefault(shape, []).append((number, premises, clauses))
        for cases in found.values():
            number, premises, clauses = cases[0]
            likewise = sum(1 << one for one, _, _ in cases)
            step = Step(
                kind=Kind.CASES,
                package=package,
                bits=1 << number,
                premises=premises,
                likewise=likewise,
                case=clauses,
            )
            state.ban(package, step, likewise)
        if found:
            return True
    return False


def _likeness(step: Step) -> tuple[Any, ...]:
    return (step.package, step.reason) if step.kind is Kind.UNAVAILABLE else (id(step),)


def _suppose(state: _State, package: str, number: int) -> tuple[tuple[Step, ...], tuple[Clause, ...]] | None:
    """What a version's being taken contradicts: what it follows from besides, and the clauses that lead there."""
    trial = state.copy()
    supposed = Step(kind=Kind.SUPPOSED, package=package, bits=1 << number)
    trial.needed[package] = supposed
    trial.keep(package, supposed)
    end = _propagate(trial)
    if end is None:
        return None
    inner, outer = _parted(end, supposed)
    return tuple(outer), tuple(step.clause for step in inner if step.clause is not None)


def _parted(end: Step, supposed: Step) -> tuple[list[Step], list[Step]]:
    """The steps that depend on what is supposed, in order, and the others that they use."""
    depends: dict[int, bool] = {}
    inner: list[Step] = []
    outer: dict[Step, None] = {}
    for step in in_order(end):
        depends[id(step)] = step is supposed or any(depends[id(one)] for one in step.premises)
        if depends[id(step)] and step is not supposed:
            inner.append(step)
            outer.update({one: None for one in step.premises if not depends[id(one)]})
    return inner, [one for one in outer if not (one.kind is Kind.ROOT and one.package == supposed.package)]


def in_order(end: Step) -> Iterator[Step]:
    """Each step once, behind its premises."""
    stack, seen, done = [end], set[int](), set[int]()
    while stack:
        step = stack[-1]
        if id(step) in done:
            stack.pop()
        elif id(step) in seen:
            stack.pop()
            done.add(id(step))
            yield step
        else:
            seen.add(id(step))
            stack += [one for one in reversed(step.premises) if id(one) not in done]
