"""Requirements files that are to be locked: what they ask for, in order, with where it stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wheelstore.resolve.dependencies import parse_dependency
from wheelstore.resolve.pins import IndexSource, LockError, PathSource, Position, Source, VcsSource
from wheelstore.resolve.problem import Dependency, Given
from wheelstore.resolve.requirement import BadRequirement
from wheelstore.resolve.requirements_lines import Variables
from wheelstore.resolve.requirements_txt import STDIN, FileRead, RequirementsReader

if TYPE_CHECKING:
    from packaging.markers import Marker

    from wheelstore.resolve.problem import Metadata
    from wheelstore.resolve.requirement import Requirement

_NAME_IT = "write it as 'NAME @ …'"


class Unnamed(NamedTuple):
    """A URL or path that is asked for, whose name only its metadata tells."""

    source: Source
    extras: frozenset[str]
    marker: Marker | None
    text: str
    hashes: tuple[str, ...]
    origin: str
    position: str

    def named(self, metadata: Metadata) -> Given:
        """Return what is asked for, now that the name is known."""
        dependency = replace(
            parse_dependency(metadata.name),
            extras=self.extras,
            marker=self.marker,
            text=self.text,
            source=self.source,
            hashes=self.hashes,
        )
        return Given(dependency, self.origin, self.position)


class InputReader(RequirementsReader):
    """Reads requirements that need not be pinned, with all that they include.

    What they say collects on `given`, `unnamed` and `constrained`, in the order of the lines.

    Args:
        flag: how the files came to be read, for annotations: `-r`, `-c`, `--override`.
    """

    pinned = False

    def __init__(self, *, variables: Variables, directory: Path, flag: str = "-r") -> None:
        super().__init__(variables=variables, directory=directory)
        self.given: list[Given] = []
        self.unnamed: list[Unnamed] = []
        self.constrained: list[Given] = []
        self.constraint = flag == "-c"
        self._flag = flag

    def _keep(self, requirement: Requirement, file: FileRead) -> None:
        pin = requirement.pin
        flag = "-c" if file.constraint else self._flag
        origin = f"{flag} {'-' if file.name == STDIN else file.name}"
        plain = self._flag == "-r" and not file.constraint
        if not pin.name and not plain:
            reason = f"the name of {pin.source} is not known without building it"
            self.errors.append(LockError(pin.position, reason, _NAME_IT))
        elif not pin.name:
            text, where = _text(requirement), str(pin.position)
            self.unnamed.append(Unnamed(pin.source, pin.extras, pin.marker, text, pin.hashes, origin, where))
        else:
            given = Given(_dependency(requirement), origin, str(pin.position))
            (self.constrained if flag == "-c" else self.given).append(given)


def _dependency(requirement: Requirement) -> Dependency:
    pin = requirement.pin
    head = requirement.text if isinstance(pin.source, IndexSource) else pin.name
    return replace(
        parse_dependency(head),
        extras=pin.extras,
        marker=pin.marker,
        text=_text(requirement),
        source=pin.source,
        hashes=pin.hashes,
    )


def _text(requirement: Requirement) -> str:
    """Return the requirement as a line of its own."""
    pin = requirement.pin
    if isinstance(pin.source, IndexSource):
        return requirement.text if pin.marker is None else f"{requirement.text} ; {pin.marker}"
    editable = isinstance(pin.source, PathSource | VcsSource) and pin.source.editable
    return f"-e {requirement.text}" if editable else requirement.text


def parse_given(text: str, *, directory: Path, origin: str, position: Position) -> Given:
    """Read a requirement that does not stand in a requirements file.

    Raises:
        LockError: it does not parse.
    """
    try:
        return Given(parse_dependency(text, directory), origin, str(position))
    except BadRequirement as error:
        raise LockError(position, str(error), error.hint) from None
