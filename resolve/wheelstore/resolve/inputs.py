"""What a lock is made from: requirements files, projects, standard input, constraints, overrides, excludes."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wheelstore.resolve.pins import LockError, LockInput, PathSource, Position, Source, normalize, raise_all
from wheelstore.resolve.problem import Given
from wheelstore.resolve.project_files import ProjectFile, RequiresPython, Unbuilt, read_project_file
from wheelstore.resolve.requirements_in import InputReader, Unnamed
from wheelstore.resolve.requirements_lines import Variables
from wheelstore.resolve.requirements_options import LockOptions
from wheelstore.resolve.requirements_txt import is_pylock

if TYPE_CHECKING:
    from wheelstore.resolve.problem import Metadata

PYPROJECT = "pyproject.toml"
_BUILT = ("setup.py", "setup.cfg")
_LOCKS = frozenset(("uv.lock", "poetry.lock", "pdm.lock", "pipfile.lock"))
_LOCK_HINT = "lock what it was made from; 'store sync' installs from pylock.toml"
_TOML_HINT = "of TOML files, pyproject.toml is read"
_EXTRAS_HINT = "extras are those of a pyproject.toml, setup.cfg or setup.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that is asked for, and what has to be built to know the rest.

    Attributes:
        roots, constraints, overrides: in the order of the files and their lines.
        unnamed, unbuilt: what turns into roots as soon as its metadata is there (`completed`).
        excludes: normalized names.
        options: what the files say about indexes and formats.
        inputs: every file that was read, those included too; equal inputs ask for the same.
        environment_names: the `${VARIABLES}` that were looked up, set or not.
        missing_extras: extras that no project offers so far; an unbuilt one may.
    """

    roots: tuple[Given, ...] = ()
    constraints: tuple[Given, ...] = ()
    overrides: tuple[Given, ...] = ()
    excludes: frozenset[str] = frozenset()
    unnamed: tuple[Unnamed, ...] = ()
    unbuilt: tuple[Unbuilt, ...] = ()
    options: LockOptions = field(default_factory=LockOptions)
    inputs: tuple[LockInput, ...] = ()
    environment_names: frozenset[str] = frozenset()
    requires_python: tuple[RequiresPython, ...] = ()
    missing_extras: tuple[str, ...] = ()

    @property
    def sources_to_build(self) -> tuple[Source, ...]:
        """Whose metadata is needed before anything can be solved."""
        return tuple(dict.fromkeys((*(each.source for each in self.unnamed), *(each.source for each in self.unbuilt))))

    def completed(self, metadata: Mapping[Source, Metadata]) -> Inputs:
        """Return the same with the roots that the metadata of `sources_to_build` tells.

        Raises:
            LockError: metadata that does not parse, or an extra that nobody offers.
        """
        roots, python, errors = [*self.roots], [*self.requires_python], list[LockError]()
        offered: set[str] = set()
        roots += [each.named(metadata[each.source]) for each in self.unnamed]
        for each in self.unbuilt:
            told = metadata[each.source]
            offered.update(normalize(extra) for extra in told.extras)
            try:
                roots += each.requirements(told)
            except LockError as error:
                errors.append(error)
            if told.requires_python:
                python.append(RequiresPython(told.requires_python, each.file))
        errors += _unknown_extras(set(self.missing_extras) - offered)
        raise_all(errors)
        return replace(
            self,
            roots=tuple(roots),
            unnamed=(),
            unbuilt=(),
            requires_python=tuple(dict.fromkeys(python)),
            missing_extras=(),
        )


def _unknown_extras(names: Collection[str]) -> list[LockError]:
    return [
        LockError(Position(f"--extra {name}"), "no input offers this extra", _EXTRAS_HINT) for name in sorted(names)
    ]


def read_inputs(
    paths: Sequence[str | Path],
    *,
    variables: Variables,
    stdin: bytes | None = None,
    directory: Path = Path(),
    constraints: Sequence[Path] = (),
    overrides: Sequence[Path] = (),
    excludes: Sequence[Path] = (),
    extras: Collection[str] = (),
    all_extras: bool = False,
    groups: Collection[str] = (),
) -> Inputs:
    """Read everything that is to be locked.

    A path is a requirements file, a pyproject.toml, setup.cfg or setup.py, a project's directory, or `-`.

    Args:
        stdin: what `-` stands for.
        directory: where relative paths in requirements start; pip and uv take the current directory.
        constraints, overrides, excludes: files in the requirements format; the last ones hold names only.
        extras: of the projects among the paths.
        groups: `NAME` of the projects among the paths, or of `directory` if there is none; or `PATH:NAME`.

    Raises:
        LockError: with every problem of every file (`errors`).
    """
    asked = _Asked(variables, directory, None if all_extras else {normalize(each) for each in extras})
    asked.take_groups(groups, paths)
    for path in paths:
        asked.take(path, stdin or b"")
    narrowing = InputReader(variables=variables, directory=directory, flag="-c")
    replacing = InputReader(variables=variables, directory=directory, flag="--override")
    leaving_out = InputReader(variables=variables, directory=directory, flag="--excludes")
    readers = ((narrowing, constraints), (replacing, overrides), (leaving_out, excludes))
    for reader, files in readers:
        for file in files:
            reader.read(Path(file))
    return asked.result(narrowing, replacing, leaving_out)


class _Asked:
    """The inputs while they are read."""

    def __init__(self, variables: Variables, directory: Path, extras: set[str] | None) -> None:
        self._variables, self._directory, self._extras = variables, directory, extras
        self._reader = InputReader(variables=variables, directory=directory)
        self._projects: list[ProjectFile] = []
        self._unbuilt: list[Unbuilt] = []
        self._groups: dict[str, list[str]] = {}  # by the absolute path of the file that has them
        self._errors: list[LockError] = []

    def take_groups(self, groups: Collection[str], paths: Sequence[str | Path]) -> None:
        """Note which groups are wanted of which project; those of projects that are no input are read here."""
        named = [str(_project_path(path)) for path in paths if _project_path(path).name == PYPROJECT]
        others: dict[str, None] = {}
        for group in groups:
            file, _, name = group.rpartition(":")
            files = [file] if file else named or [_shown(self._directory / PYPROJECT)]
            for each in files:
                self._groups.setdefault(os.path.abspath(each), []).append(name)
                if os.path.abspath(each) not in {os.path.abspath(path) for path in named}:
                    others[each] = None
        for each in others:
            self._take_project(Path(each), only_groups=True)

    def take(self, given: str | Path, stdin: bytes) -> None:
        """Read one input, by what it is."""
        path = _project_path(given)
        name = path.name.lower()
        if str(path) == "-":
            self._reader.read_stdin(stdin)
        elif name == PYPROJECT:
            self._take_project(path)
        elif name in _BUILT or os.path.isdir(path):
            self._take_unbuilt(path)
        elif is_pylock(path.name) or name in _LOCKS:
            self._fail(path, "is a lock, not what one is made from", _LOCK_HINT)
        elif path.suffix == ".toml":
            self._fail(path, "is not a file that can be locked", _TOML_HINT)
        elif path.suffix in (".py", ".whl"):
            self._fail(path, "is not a requirements file")
        else:
            self._reader.read(path)

    def _take_project(self, path: Path, *, only_groups: bool = False) -> None:
        data = self._reader.load(path)
        if data is None:
            return
        groups = self._groups.get(os.path.abspath(path), [])
        extras = self._extras
        try:
            project = read_project_file(path, data, extras=extras, groups=groups, only_groups=only_groups)
        except LockError as error:
            self._errors.append(error)
            return
        for group in groups:
            if normalize(group) not in project.groups:
                self._fail(path, f"has no dependency group {group!r}", _those(project.groups, "its groups are"))
        self._projects.append(project)
        if project.unbuilt is not None:
            self._take_unbuilt(path, project.unbuilt)

    def _take_unbuilt(self, path: Path, unbuilt: Unbuilt | None = None) -> None:
        """Note a project that has to be built, and the files by which it can be told from another."""
        directory = path if os.path.isdir(path) else path.parent
        known = {each.path for each in self._reader.inputs}
        found = [directory / each for each in (PYPROJECT, *_BUILT) if os.path.isfile(directory / each)]
        if path.name in _BUILT and path not in found:
            found.append(path)  # which does not exist, and so is an error
        if not found:
            self._fail(path, f"has neither {PYPROJECT} nor setup.py")
        for each in found:
            if each not in known:
                self._reader.load(each)
        source = PathSource(path=Path(os.path.abspath(directory)))
        extras = None if self._extras is None else frozenset(self._extras)
        self._unbuilt.append(unbuilt or Unbuilt(source, str(path), extras))

    def _fail(self, path: Path, message: str, hint: str | None = None) -> None:
        self._errors.append(LockError(Position(str(path)), message, hint))

    def result(self, narrowing: InputReader, replacing: InputReader, leaving_out: InputReader) -> Inputs:
        """Put together what all files say, or raise what is wrong with them."""
        readers = (self._reader, narrowing, replacing, leaving_out)
        offered = {extra for project in self._projects for extra in project.extras}
        missing = sorted((self._extras or set()) - offered)
        unknown = [] if self._unbuilt else _unknown_extras(missing)
        raise_all([*(error for reader in readers for error in reader.errors), *self._errors, *unknown])
        pythons = [each.requires_python for each in self._projects if each.requires_python is not None]
        given = [each for project in self._projects for each in project.given]
        require_hashes = self._reader.options.require_hashes
        return Inputs(
            roots=tuple(dict.fromkeys((*self._reader.given, *given))),
            constraints=tuple(each for reader in readers for each in reader.constrained),
            overrides=tuple(replacing.given),
            excludes=frozenset(each.dependency.name for each in leaving_out.given),
            unnamed=tuple(self._reader.unnamed),
            unbuilt=tuple(self._unbuilt),
            options=self._reader.options.freeze(require_hashes=require_hashes),
            inputs=tuple(dict.fromkeys(each for reader in readers for each in reader.inputs)),
            environment_names=frozenset(self._variables.names),
            requires_python=tuple(dict.fromkeys(pythons)),
            missing_extras=tuple(missing) if self._unbuilt else (),
        )


def _project_path(given: str | Path) -> Path:
    """Return the file that an input means: a directory's pyproject.toml, if it has one."""
    path = Path(given)
    inside = path / PYPROJECT
    return inside if str(path) != "-" and os.path.isfile(inside) else path


def _shown(path: Path) -> str:
    return os.path.relpath(path) if not path.is_absolute() else str(path)


def _those(names: Collection[str], text: str) -> str | None:
    return f"{text} {', '.join(sorted(names))}" if names else None
