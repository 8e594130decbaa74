"""`store envs`: the environments that the store knows, what has become of them, and what they were before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wheelstore.cli.console import Console, write_json
from wheelstore.cli.suggesting import UnknownEnvironment, environments_named
from wheelstore.cli.tables import for_people, is_store, local, utc, write_lines, write_table
from wheelstore.materialize.manifest import manifest_wheels
from wheelstore.store.index import EnvironmentRow, Generation, Index, open_index
from wheelstore.store.layout import Store, open_store
from wheelstore.store.roots import Presence, look

Packages = frozenset[tuple[str, str]]
_SHOWN = 6  # changes of a generation that are shown to people


@dataclass(frozen=True, slots=True)
class Stage:
    """A generation, and what it held: name and version of each package, if its manifest is still there.

    `added` and `removed` are what differs from the generation before it, if both are known.
    """

    row: Generation
    packages: Packages | None
    added: tuple[tuple[str, str], ...] = ()
    removed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A registered environment, and what is known of it."""

    row: EnvironmentRow
    presence: Presence
    packages: int
    history: tuple[Stage, ...]


def list_environments(
    root: str, path: str | None = None, *, history: bool = False, as_json: bool = False, quiet: int = 0
) -> None:
    """Print the environments that the store knows, those too that are not there any more; or the one at `path`.

    With `history`, print a line for each of their generations instead.

    Raises:
        UnknownEnvironment: there is none at `path`.
    """
    found: list[Surveyed] = []
    if is_store(root):
        store = open_store(root)
        with open_index(store.index_path) as index:
            rows = index.environments() if path is None else environments_named(index, path)
            found = [_survey(store, index, row, in_full=history or as_json) for row in rows]
    elif path is not None:
        raise UnknownEnvironment(path, root, [])
    if as_json:
        write_json([_as_json(one) for one in found])
    elif not found:
        Console(quiet=quiet).say(f"No environments in {root}")
    elif history:
        _write_histories(found)
    else:
        _write_environments(found)


def _survey(store: Store, index: Index, row: EnvironmentRow, *, in_full: bool) -> Surveyed:
    packages = _packages(index, row.manifest)
    history = tuple(_stages(index, index.generations(row.id))) if in_full else ()
    return Surveyed(row, look(store, row), len(packages or ()), history)


def _packages(index: Index, manifest: str) -> Packages | None:
    content = index.manifest_content(manifest)
    return None if content is None else frozenset((one.name, one.version) for one in manifest_wheels(content))


def _stages(index: Index, generations: Iterable[Generation]) -> Iterable[Stage]:
    before: Packages | None = frozenset()
    for generation in generations:
        packages = _packages(index, generation.manifest)
        if packages is None or before is None:
            yield Stage(generation, packages)
        else:
            yield Stage(generation, packages, tuple(sorted(packages - before)), tuple(sorted(before - packages)))
        before = packages


def _as_json(one: Surveyed) -> dict[str, object]:
    row = one.row
    return {
        "id": row.id,
        "path": row.path,
        "status": one.presence.value,
        "exists": one.presence is Presence.LIVE,
        "python": row.python,
        "packages": one.packages,
        "mode": row.mode,
        "created": utc(row.created),
        "synced": utc(row.synced),
        "missing": None if row.missing is None else utc(row.missing),
        "manifest": row.manifest,
        "generation": row.generation,
        "generations": [_stage_json(stage, row.generation) for stage in one.history],
    }


def _stage_json(stage: Stage, current: int) -> dict[str, object]:
    row = stage.row
    return {
        "number": row.number,
        "current": row.number == current,
        "synced": utc(row.synced),
        "python": row.python,
        "packages": None if stage.packages is None else len(stage.packages),
        "source": row.source,
        "manifest": row.manifest,
        "added": [{"name": name, "version": version} for name, version in stage.added],
        "removed": [{"name": name, "version": version} for name, version in stage.removed],
    }


def _write_environments(found: Sequence[Surveyed]) -> None:
    def fields(one: Surveyed, synced: str) -> tuple[str, ...]:
        row = one.row
        status = one.presence.value
        return row.path, row.python, str(one.packages), row.mode, synced, status, str(row.generation)

    if for_people():
        heads = ("PATH", "PYTHON", "PACKAGES", "MODE", "LAST SYNC", "STATUS", "GENERATION")
        write_table(heads, [fields(one, local(one.row.synced)) for one in found], right=(2, 6))
    else:
        write_lines([fields(one, utc(one.row.synced)) for one in found])


def _write_histories(found: Sequence[Surveyed]) -> None:
    if not for_people():
        write_lines([_stage_fields(one, stage) for one in found for stage in one.history])
        return
    heads = ("PATH", "GENERATION", "WHEN", "PYTHON", "PACKAGES", "FROM", "CHANGES")
    rows = []
    for one in found:
        for stage in one.history:
            path, number, mark, _, *rest = _stage_fields(one, stage)
            changes = _changes(stage)
            if len(changes) > _SHOWN:
                changes = [*changes[: _SHOWN - 1], f"and {len(changes) - _SHOWN + 1} more"]
            rows.append(
                (
                    path if stage is one.history[0] else "",
                    f"{mark} {number}",
                    local(stage.row.synced),
                    *rest[:3],
                    " ".join(changes),
                )
            )
    write_table(heads, rows, right=(1, 4))


def _stage_fields(one: Surveyed, stage: Stage) -> tuple[str, ...]:
    """Path, number, ``*`` for the current one, time, Python, packages, source, changes."""
    row = stage.row
    return (
        one.row.path,
        str(row.number),
        "*" if row.number == one.row.generation else "",
        utc(row.synced),
        row.python,
        "" if stage.packages is None else str(len(stage.packages)),
        row.source,
        " ".join(_changes(stage)),
    )


def _changes(stage: Stage) -> list[str]:
    """``-name==version`` and ``+name==version``, by name."""
    signed = [*((name, "-", version) for name, version in stage.removed)]
    signed += [(name, "+", version) for name, version in stage.added]
    return [f"{sign}{name}=={version}" for name, sign, version in sorted(signed, key=_removed_first)]


def _removed_first(change: tuple[str, str, str]) -> tuple[str, bool]:
    return change[0], change[1] == "+"
