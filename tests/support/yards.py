"""A store with rows and files of the test's making, for what collects them."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from wheelstore.store.blobs import blob_mtime, blob_name
from wheelstore.store.collection import collect, rehearse
from wheelstore.store.filelist import StoredFile, pack, unpack
from wheelstore.store.index import (
    Answer,
    EnvironmentRow,
    Generation,
    ImageRow,
    Index,
    PrewarmedRow,
    WheelRow,
    open_index,
)
from wheelstore.store.index_releases import pending_references
from wheelstore.store.layout import Store, open_store
from wheelstore.store.policy import Freed, Policy
from wheelstore.store.ready import own_size
from wheelstore.store.tokens import filesystem_of, make_token

AT_ONCE = Policy(older_than=0.0, grace=0.0)


def sha256_for(name: str) -> str:
    """A wheel's sha256, so to speak."""
    return blake3(name.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Yard:
    """A store and its index. Wheels, manifests and environments are known by short names."""

    root: Path
    store: Store
    index: Index

    @staticmethod
    def open(root: Path) -> Yard:
        """An empty store below `root`."""
        store = open_store(str(root / "store"))
        return Yard(root, store, open_index(store.index_path))

    def publish(self, *contents: bytes) -> list[StoredFile]:
        """Blobs of these contents: their files, as ingest leaves them; inside `writing`."""
        files = []
        for content in contents:
            key = blake3(content).digest()
            path = self.blob(content)
            if content and not path.exists():
                path.write_bytes(content)
                os.utime(path, (blob_mtime(key), blob_mtime(key)))
                path.chmod(0o444)
            files.append(StoredFile(content.hex(), key, len(content)))
        return files

    def blob(self, content: bytes) -> Path:
        """Where the blob of a content is."""
        return Path(self.store.blobs, blob_name(blake3(content).digest()))

    def wheel(self, name: str, *contents: bytes, used: float = 1.0) -> str:
        """A wheel with these files; its sha256."""
        sha256 = sha256_for(name)
        with self.index.writing():
            files = self.publish(*contents)
            row = WheelRow(sha256, f"{name}-1-py3-none-any.whl", name, "1", 10, True, pack(files), None)
            self.index.add_wheels([(row, [(one.key, one.size) for one in files if one.size])], now=used)
        return sha256

    def manifest(self, name: str, *wheels: str, generated: tuple[bytes, ...] = (), used: float = 1.0) -> None:
        """A manifest of wheels, with an answer that leads to it."""
        with self.index.writing():
            made = pack(self.publish(*generated))
            sha256s = [sha256_for(wheel) for wheel in wheels]
            self.index.put_manifest(name, b"content", b"plan", now=used, wheels=sha256s, generated=made)
            self.index.put_answer(f"question {name}", Answer(name, ""))

    def image(self, manifest: str, *contents: bytes, used: float = 1.0) -> Path:
        """The image of a manifest, with links to these blobs; its directories are sealed."""
        image = Path(self.store.images, manifest)
        beside = image.with_name(f"{manifest}.lease-1-00000000")
        (beside / "lib").mkdir(parents=True)
        for content in contents:
            os.link(self.blob(content), beside / "lib" / content.hex())
        size = own_size(str(beside))
        (beside / "lib").chmod(0o555)
        with self.index.writing():
            beside.rename(image)
            self.index.put_image(ImageRow(manifest, "directory", size, used, used))
        return image

    def spares(self, manifest: str, count: int, *contents: bytes, mode: str = "hardlink") -> Path:
        """Spares of a manifest, with links to these blobs; whether they are wanted or not."""
        directory = Path(self.store.spares, manifest)
        for number in range(count):
            (directory / f"{mode}-{number}" / "lib").mkdir(parents=True)
            for content in contents:
                os.link(self.blob(content), directory / f"{mode}-{number}" / "lib" / content.hex())
        return directory

    def prewarm(self, manifest: str, *, spares: int = 0, used: float = 1.0) -> None:
        """Say that a manifest shall be ready."""
        with self.index.writing():
            self.index.put_prewarmed(PrewarmedRow(manifest, spares, "hardlink", "lock.txt", used))

    def environment(
        self, name: str, *manifests: str, synced: float = 1.0, generation: int = 0, mode: str = "hardlink"
    ) -> Path:
        """An environment that had the manifests in this order, and is at the last (or the one of that number)."""
        path = self.root / name
        (path / ".wheelstore").mkdir(parents=True, exist_ok=True)
        make_token(self.store, name, str(path), root=str(path))
        number = generation or len(manifests)
        with self.index.writing():
            self.index.put_environment(
                EnvironmentRow(
                    id=name,
                    path=str(path),
                    manifest=manifests[number - 1],
                    mode=mode,
                    python="3.12.1",
                    created=synced,
                    synced=synced,
                    filesystem=filesystem_of(str(path)),
                    generation=number,
                )
            )
            for at, manifest in enumerate(manifests, 1):
                self.index.put_generation(Generation(name, at, manifest, "", "", "", "3.12.1", "", synced))
        return path

    def remove(self, name: str) -> None:
        """Delete an environment, as users do."""
        shutil.rmtree(self.root / name)

    def collect(self, policy: Policy = AT_ONCE, *, now: float = 100.0) -> Freed:
        """Collect, after finding that a rehearsal says the same and touches nothing."""
        before = self.everything()
        rehearsed = rehearse(self.store, self.index, policy, now=now)
        assert self.everything() == before
        freed = collect(self.store, self.index, policy, now=now)
        assert freed == rehearsed
        assert self.flaws() == []
        return freed

    def wheels(self) -> set[str]:
        """The wheels that there are."""
        return {row.name for row in self.index.all_wheels()}

    def blobs(self) -> set[bytes]:
        """The contents of all blobs that there are."""
        return {path.read_bytes() for path in Path(self.store.blobs).glob("*/*")}

    def flaws(self) -> list[str]:
        """Rows without files, and references that are not what a recount says."""
        counted = Counter(pending_references(self.index))
        for (files,) in self.index.stream("SELECT files FROM wheels UNION ALL SELECT generated FROM manifests"):
            counted.update({file.key for file in unpack(files) if file.size})
        said = {bytes(key): refs for key, refs in self.index.stream("SELECT key, refs FROM blobs")}
        flaws = [f"{blob_name(key)}: {said[key]} references" for key in said if said[key] != counted[key]]
        flaws += [f"{blob_name(key)}: no row" for key in counted if key not in said]
        flaws += [f"{blob_name(key)}: no file" for key in said if not self._has_file(key)]
        return flaws + [f"image {row.manifest}: no directory" for row in self.index.images() if not self._is_whole(row)]

    def images(self) -> set[str]:
        """The images that have a row."""
        return {row.manifest for row in self.index.images()}

    def _is_whole(self, row: ImageRow) -> bool:
        return os.path.isdir(f"{self.store.images}/{row.manifest}/lib")

    def _has_file(self, key: bytes) -> bool:
        return os.path.exists(f"{self.store.blobs}/{blob_name(key)}")

    def everything(self) -> dict[str, bytes | None]:
        """Every file below the store but SQLite's own, and the rows of the index."""
        files = {
            str(path): path.read_bytes() if path.is_file() else None
            for path in Path(self.store.root).rglob("*")
            if not path.name.startswith("index.sqlite3")
        }
        tables = [name for (name,) in self.index.stream("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: repr(list(self.index.stream(f"SELECT * FROM {name}"))).encode() for name in sorted(tables)}
        return {**files, **rows}
