"""What explanations and hints are made of: packages, versions and facts in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelstore.resolve.leaves import Clause, Kind, Step
from wheelstore.resolve.pins import IndexSource, hide_credentials
from wheelstore.resolve.provider import Provider, split
from wheelstore.resolve.range_text import range_text
from wheelstore.resolve.unavailable import unavailable

if TYPE_CHECKING:
    from wheelstore.resolve.problem import Dependency
    from wheelstore.resolve.projects import Project

_SHORT = 3  # what is listed in full


class Words:
    """Packages, ranges and facts in words."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._besides: dict[str, int] = {}
        stated = (*provider.problem.roots, *provider.problem.constraints)
        self._order = {id(given): number for number, given in enumerate(stated)}

    def range(self, package: str, bits: int) -> str:
        """Some versions of a package, those left aside that cannot be taken anyway if there are others."""
        name = split(package)[0]
        if name not in self._besides:
            self._besides[name] = sum(unavailable(self.provider, name).values())
        project, besides = self.provider.project(name), self._besides[name]
        if not bits & int(project.known) & ~besides:
            besides = 0
        return range_text(package, project, bits, besides)

    def subject(self, package: str, bits: int) -> str:
        """The same at the beginning of a statement."""
        text, name = self.range(package, bits), split(package)[0]
        if text != package:
            left = int(self.provider.project(name).known) & ~self._besides[name]
            is_only = self._besides[name] and left.bit_count() == 1 and left & bits
            return f"{text}, the only usable version," if is_only else text
        return f"all usable versions of {package}" if self._besides[name] else f"all versions of {package}"

    def clause(self, clause: Clause) -> str:
        """``a<2 depends on b>=3``."""
        subject = self.subject(clause.package, clause.versions)
        verb = "depend" if subject.startswith("all ") or " versions of " in subject else "depends"
        return f"{subject} {verb} on {self.wanted(clause)}"

    def wanted(self, clause: Clause) -> str:
        """What a clause requires: as it was written, if it was always written so."""
        written = self._written(clause)
        if len(written) == 1:
            return f"{clause.dependency}{written[0]}"
        if clause.allowed & int(self.provider.project(split(clause.dependency)[0]).known):
            text = self.range(clause.dependency, clause.allowed)
            return f"one of {text}" if " versions of " in text else text
        more = f" and {len(written) - _SHORT} more" if len(written) > _SHORT else ""
        return " or ".join(f"{clause.dependency}{text}" for text in written[:_SHORT]) + more

    def _written(self, clause: Clause) -> list[str]:
        name, extra = split(clause.package)
        found: dict[str, None] = {}
        for number in range(len(self.provider.project(name).versions)):
            if clause.versions >> number & 1 and self.provider.was_asked(clause.package, number):
                dependencies = self.provider.depended(name, number, extra)
                mine = [one for one in dependencies if one.name == split(clause.dependency)[0]]
                found[",".join(dict.fromkeys(str(one.specifier) for one in mine if one.specifier))] = None
        return sorted(found)

    def fact(self, step: Step) -> str:
        """A premise that follows from nothing else."""
        if step.kind is Kind.UNAVAILABLE:
            subject = self.range(step.package, step.bits)
            if subject == step.package:
                return f"no version of {subject} can be taken ({step.reason})"
            return f"{subject} cannot be taken ({step.reason})"
        assert step.given is not None
        verb = "require" if step.kind is Kind.ROOT else "constrain"
        return f"you {verb} {asked(step.given.dependency)} ({step.given.position})"

    def given(self, steps: list[Step]) -> str:
        """What is given, the requirements first."""
        texts: list[str] = []
        before: Kind | None = None
        for step in sorted(steps, key=lambda step: (step.kind is Kind.CONSTRAINT, self._order.get(id(step.given), 0))):
            text = self.fact(step)
            texts.append(text.partition(" ")[2].partition(" ")[2] if step.kind is before else text)
            before = step.kind
        return listed(texts)

    def missing(self, step: Step) -> list[str]:
        """That there is no such version, if that is what a step comes from."""
        package = step.clause.dependency if step.kind is Kind.RULED_OUT and step.clause else step.package
        name = split(package)[0]
        project = self.provider.project(name)
        known = int(project.known)
        if step.kind is Kind.RULED_OUT and step.clause is not None:
            wanted = [step.clause.allowed]
        else:
            wanted = [one.bits for one in step.premises if one.kind is not Kind.UNAVAILABLE]
        if not project.exists or not known:
            return [f"{name} was not found" if not project.exists else f"{name} has no files"]
        if step.kind in (Kind.RULED_OUT, Kind.NOTHING) and any(not bits & known for bits in wanted if bits >= 0):
            return [f"there {_there_are(project)}"]
        return []


def _there_are(project: Project) -> str:
    name, last = project.name, len(project.versions) - 1
    if last == 0:
        return f"is only {name}=={project.version(0)}"
    if last < _SHORT:
        firsts = ", ".join(str(project.version(number)) for number in range(last))
        return f"are only {firsts} and {project.version(last)} of {name}"
    return f"are only versions {project.version(0)} to {project.version(last)} of {name}"


def asked(dependency: Dependency) -> str:
    """A requirement without its marker."""
    if not isinstance(dependency.source, IndexSource):
        return hide_credentials(dependency.text.partition(" ;")[0])
    extras = f"[{','.join(sorted(dependency.extras))}]" if dependency.extras else ""
    return f"{dependency.name}{extras}{dependency.specifier}"


def listed(parts: list[str]) -> str:
    """``one, two and three``."""
    if len(parts) == 2 and " and " in parts[0]:
        return ", and ".join(parts)
    return " and ".join(parts) if len(parts) < _SHORT else ", ".join(parts[:-1]) + f" and {parts[-1]}"
