"""How many bytes each environment has, shares, and keeps alone.

Every wheel, manifest and blob gets one *owner*, a small number: which environment alone has it, or that several do.
So 200,000 blobs in 100 environments are counted in one pass over the wheels and one over the blobs, with one number
kept for each blob, however many environments have it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from wheelstore.store.filelist import columns
from wheelstore.store.index import EnvironmentRow, Index

K = TypeVar("K", bound=Hashable)

_SEVERAL = 0  # in the place of one environment's number
_EARLIER = 1  # added to twice that number: no environment has it now, an earlier generation did


class Usage(NamedTuple):
    """What one environment comes to, in bytes.

    `apparent` is the size of its files as if they were its own; `shared` is the part of it that other environments
    have, or go back to, as well. `unique` is what the store has for this environment alone, each blob counted once,
    and `earlier` what it keeps alone for its earlier generations: both would go with it.
    """

    environment: EnvironmentRow
    apparent: int
    shared: int
    unique: int
    earlier: int


class Totals(NamedTuple):
    """All of the store, in bytes: `stored` in so many `blobs`, of which environments have `used` now."""

    stored: int
    blobs: int
    used: int


def measure(index: Index) -> tuple[list[Usage], Totals]:
    """The usage of every environment, by path, and of all together."""
    return _Measurement(index).result()


class _Measurement:
    def __init__(self, index: Index) -> None:
        self._index = index
        self._environments = index.environments()
        self._manifests: dict[str, int] = {}
        self._wheels: dict[int, int] = {}
        self._blobs: dict[bytes, int] = {}
        self._own_manifests()
        self._own_blobs()

    def _own_manifests(self) -> None:
        numbers = {row.id: number for number, row in enumerate(self._environments, 1)}
        for row in self._environments:
            _own(self._manifests, [row.manifest], 2 * numbers[row.id])
        for environment, manifest in self._index.stream("SELECT environment, manifest FROM generations"):
            if environment in numbers:
                _own(self._manifests, [manifest], 2 * numbers[environment] + _EARLIER)
        for manifest, wheel in self._contents():
            if manifest in self._manifests:
                _own(self._wheels, [wheel], self._manifests[manifest])

    def _contents(self) -> Iterator[tuple[str, int]]:
        return self._index.stream("SELECT manifest, wheel FROM manifest_wheels")

    def _own_blobs(self) -> None:
        for wheel, files in self._index.stream("SELECT id, files FROM wheels"):
            if wheel in self._wheels:
                _own(self._blobs, columns(files)[0], self._wheels[wheel])
        for manifest, generated in self._index.stream("SELECT digest, generated FROM manifests"):
            if manifest in self._manifests:
                _own(self._blobs, columns(generated)[0], self._manifests[manifest])

    def result(self) -> tuple[list[Usage], Totals]:
        owned: Counter[int] = Counter()
        stored = blobs = 0
        for key, size in self._index.stream("SELECT key, size FROM blobs"):
            blobs += 1
            stored += size
            if key in self._blobs:
                owned[self._blobs[key]] += size
        sizes = self._manifest_sizes()
        usages = []
        for number, row in enumerate(self._environments, 1):
            apparent, shared = sizes.get(row.manifest, (0, 0))
            usages.append(Usage(row, apparent, shared, owned[2 * number], owned[2 * number + _EARLIER]))
        used = sum(size for owner, size in owned.items() if not owner & _EARLIER)
        return usages, Totals(stored, blobs, used)

    def _manifest_sizes(self) -> dict[str, tuple[int, int]]:
        """The apparent and the shared bytes of each manifest that an environment has now."""
        wheels = self._sizes(self._wheels, self._index.stream("SELECT id, files FROM wheels"))
        sizes = self._sizes(self._manifests, self._index.stream("SELECT digest, generated FROM manifests"))
        for manifest, wheel in self._contents():
            if manifest in sizes and wheel in wheels:
                (apparent, shared), (more, more_shared) = sizes[manifest], wheels[wheel]
                sizes[manifest] = apparent + more, shared + more_shared
        return sizes

    def _sizes(self, owners: dict[K, int], lists: Iterable[tuple[K, bytes]]) -> dict[K, tuple[int, int]]:
        """The bytes of each file list that environments have now, and those of its blobs that several have."""
        found = {}
        for name, files in lists:
            owner = owners.get(name, _EARLIER)
            if owner & _EARLIER:
                continue
            keys, sizes = columns(files)
            apparent = shared = sum(sizes)
            if owner >> 1 != _SEVERAL:
                owner_of = self._blobs.get
                pairs = zip(keys, sizes, strict=True)
                shared = sum(size for key, size in pairs if owner_of(key, owner) >> 1 == _SEVERAL)
            found[name] = apparent, shared
        return found


def _own(owners: dict[K, int], names: Iterable[K], owner: int) -> None:
    """Note that `owner` has these, beside whoever has them already."""
    for name in names:
        before = owners.setdefault(name, owner)
        if before != owner:
            environment = owner >> 1 if before >> 1 == owner >> 1 else _SEVERAL
            owners[name] = 2 * environment + (before & owner & _EARLIER)
