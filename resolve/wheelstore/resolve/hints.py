"""What may help where there is no answer: one line each, the most telling first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wheelstore.resolve.leaves import Core, Kind, Step
from wheelstore.resolve.problem import Prereleases
from wheelstore.resolve.provider import split
from wheelstore.resolve.range_text import range_text
from wheelstore.resolve.refutation import in_order
from wheelstore.resolve.selection_errors import condense
from wheelstore.resolve.usable import Why

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from wheelstore.resolve.problem import Rules
    from wheelstore.resolve.projects import Project
    from wheelstore.resolve.provider import Provider

_MOST = 4
_MOST_TAGS = 4


def find_hints(core: Core, end: Step | None, provider: Provider) -> tuple[str, ...]:
    """What may help, for the facts of a refutation (`end` is its last step, if one was found)."""
    wanted = _wanted(core, end)
    found: dict[str, None] = {}
    for name, bits in wanted.items():
        found.update(dict.fromkeys(_of_project(name, bits, provider)))
    found.update(dict.fromkeys(_of_constraints(core, end)))
    return tuple(found)[:_MOST]


def _wanted(core: Core, end: Step | None) -> dict[str, int]:
    """The projects of which something is missing, each with the versions that would do if they could be taken."""
    found: dict[str, int] = {name: 0 for name, known in core.known.items() if not known}
    for step in in_order(end) if end is not None else core.unavailable:
        name = split(step.package)[0]
        if step.kind is Kind.UNAVAILABLE:
            found[name] = found.get(name, 0) | step.bits
        elif step.kind is Kind.NOTHING:
            found.setdefault(name, 0)
        elif step.kind is Kind.RULED_OUT and step.clause is not None:
            found.setdefault(split(step.clause.dependency)[0], 0)
    return found


def _of_project(name: str, wanted: int, provider: Provider) -> Iterator[str]:
    project = provider.project(name)
    if not project.exists:
        yield from _not_found(name, provider)
        return
    left_out = int(project.known) & ~int(provider.allowed(name)) & wanted
    if left_out:
        yield _prerelease(project, left_out, provider.problem.rules)
    for (why, detail), bits in _refused(project, wanted).items():
        yield _refusal(project, bits, why, detail, provider)
    if provider.direct.has_name(name):
        return
    elsewhere = provider.catalog.elsewhere(name, _stated(name, provider))
    if elsewhere:
        yield (
            f"{name} is in {condense(elsewhere, 3)}, too, but only the first index that has it was asked; "
            "STORE_INDEX_STRATEGY=unsafe-best-match lets any index answer"
        )


def _stated(name: str, provider: Provider) -> SpecifierSet:
    """What all that is given says of a project together."""
    from packaging.specifiers import SpecifierSet

    given = (*provider.problem.roots, *provider.problem.constraints)
    parts = [str(one.dependency.specifier) for one in given if one.dependency.name == name]
    return SpecifierSet(",".join(part for part in parts if part))


def _not_found(name: str, provider: Provider) -> Iterator[str]:
    places = provider.catalog.searched(name)
    where = condense(places, 3) if places else "there is no index to search (--no-index)"
    close = _close(name, provider)
    meant = f"; did you mean {close}?" if close else ""
    yield f"{name} is not in {where}{meant}" if places else f"{name}: {where}{meant}"


def _close(name: str, provider: Provider) -> str | None:
    from difflib import get_close_matches

    given = (*provider.problem.roots, *provider.problem.constraints, *provider.problem.overrides)
    names = {one.dependency.name for one in given} | set(provider.projects)
    existing = sorted(one for one in names if one != name and provider.project(one).exists)
    return next(iter(get_close_matches(name, existing, 1)), None)


def _prerelease(project: Project, bits: int, rules: Rules) -> str:
    newest = project.version(bits.bit_length() - 1)
    if rules.prereleases is Prereleases.DISALLOW:
        return f"{project.name}=={newest} is a pre-release, and --prerelease disallow leaves those out"
    return f"{project.name}=={newest} is a pre-release; --prerelease allow takes those"


def _refused(project: Project, wanted: int) -> dict[tuple[Why, str], int]:
    """What cannot be taken, by the reason; reasons with different details count as one if there are many."""
    found: dict[tuple[Why, str], int] = {}
    for number, refusal in sorted(project.refused.items(), reverse=True):
        if wanted >> number & 1:
            same = next((key for key in found if key[0] is refusal.why), None)
            detail = refusal.detail if same is None else same[1]
            found[refusal.why, detail] = found.get((refusal.why, detail), 0) | 1 << number
    return found


def _refusal(project: Project, bits: int, why: Why, detail: str, provider: Provider) -> str:
    """Say it of the newest such version, whose detail this is."""
    name, newest = project.name, bits.bit_length() - 1
    one = f"{name}=={project.version(newest)}"
    rest = bits.bit_count() - 1
    details = {project.refused[number].detail for number in range(newest + 1) if bits >> number & 1}
    one_detail = len(details) == 1
    others = f", as {'does' if rest == 1 else 'do'} {rest} more of its versions" if rest and one_detail else ""
    others += ", and older versions require other ones" if not one_detail else ""
    rules = provider.problem.rules
    if why is Why.YANKED:
        subject = range_text(name, project, bits)
        subject = f"every version of {name}" if subject == name else subject
        reason = f" ({_clipped(detail)})" if detail and one_detail else ""
        return f"{subject} was yanked{reason}; a pin of yours (==) takes it"
    if why is Why.PYTHON:
        return f"{one} requires Python {detail}{others}; this is for Python {provider.problem.target.python} (--python)"
    if why is Why.PLATFORM:
        tags = detail.split()
        more = f" and {len(tags) - _MOST_TAGS} more" if len(tags) > _MOST_TAGS else ""
        mine = next(iter(provider.problem.target.tags), "")
        return f"{one} has only wheels for {', '.join(tags[:_MOST_TAGS])}{more}, none for this platform ({mine})"
    if why is Why.NEWER:
        limit = rules.exclude_newer_package.get(name, rules.exclude_newer)
        moment = datetime.fromtimestamp(limit or 0, UTC).isoformat().replace("+00:00", "Z")
        when = f"was published at {detail}" if detail else "does not say when it was published"
        return f"{one} {when}, and --exclude-newer {moment} leaves it out"
    if why is Why.FORMAT:
        return _format(one, name, rules)
    if why is Why.DIRECT:
        return f"{one} depends on {_clipped(detail)}; to allow that, require it yourself"
    return f"{one} has no usable metadata: {_clipped(detail)}"


def _format(one: str, name: str, rules: Rules) -> str:
    options = [("--only-binary", "wheel", rules.only_binary), ("--no-binary", "sdist", rules.no_binary)]
    excluded = [(option, kind) for option, kind, selected in options if selected.has(name)]
    if not excluded:
        return f"{one} has neither a wheel nor an sdist"
    if len(excluded) == 2:
        return f"--only-binary and --no-binary together leave nothing of {name}"
    ((option, kind),) = excluded
    return f"{one} has no {kind}, and {option} leaves nothing else"


def _clipped(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 100 else f"{text[:50]}…{text[-49:]}"


def _of_constraints(core: Core, end: Step | None) -> Iterator[str]:
    """Requirements that a constraint of the same project leaves nothing of."""
    used: Iterable[Step] = in_order(end) if end is not None else core.constraints
    for limit in [step for step in used if step.kind is Kind.CONSTRAINT]:
        for root in core.roots:
            if root.package == limit.package and not root.bits & limit.bits & core.known[limit.package]:
                assert root.given is not None
                assert limit.given is not None
                yield (
                    f"{root.given.position} and {limit.given.position} leave no version of {limit.package}: "
                    "change one of the two"
                )
