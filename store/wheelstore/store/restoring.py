"""Put good files in the place of bad blobs: exactly those, each by one rename, while nobody else changes the store.

Whatever brings the bytes writes them into a directory of the operation, under the blobs' names without the slash, as
`ingest.stage` does.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from wheelstore.store.audit import BadBlob, Fault, check_blob, digest_of
from wheelstore.store.blobs import blob_name
from wheelstore.store.durable import flush
from wheelstore.store.index import Index
from wheelstore.store.ingest import finish_blob, replace_blob
from wheelstore.store.layout import Store
from wheelstore.store.leftovers import remove

_AT_ONCE = 500  # blobs that are replaced under one lock
_PENDING = "damaged"  # what was bad, until every environment with it is healed


def staged_in(directory: str, keys: Iterable[bytes]) -> dict[bytes, str]:
    """Where, in a directory, those of the blobs are that are staged there."""
    paths = {key: f"{directory}/{_flat(key)}" for key in keys}
    return {key: path for key, path in paths.items() if os.path.exists(path)}


def replace_bad(store: Store, index: Index, staged: Mapping[bytes, str]) -> set[bytes]:
    """Put staged files in the place of the blobs of their keys; those that anybody still wants.

    Raises:
        OSError, IndexUnusable: it cannot be written; what was replaced until then is good.
    """
    if not staged:
        return set()
    flush(store.tmp)
    replaced: set[bytes] = set()
    ordered = sorted(staged)
    for start in range(0, len(ordered), _AT_ONCE):
        with index.writing():
            for key in index.known_blobs(ordered[start : start + _AT_ONCE]):
                blob = f"{store.blobs}/{blob_name(key)}"
                if os.path.isdir(blob) and not os.path.islink(blob):
                    os.rename(blob, _in_trash(store))
                os.makedirs(os.path.dirname(blob), 0o700, exist_ok=True)
                replace_blob(staged[key], blob)
                replaced.add(key)
    return replaced


def stage_copy(source: str, directory: str, key: bytes) -> dict[bytes, str]:
    """Copy any file into a directory as the blob `key`, if that is what its bytes are; where it is then."""
    path = f"{directory}/{_flat(key)}"
    try:
        if not stat.S_ISREG(os.lstat(source).st_mode):
            return {}
        shutil.copyfile(source, path)
    except OSError:  # it need not be there, nor be ours to read
        return {}
    if digest_of(path) != key[:32]:
        os.unlink(path)
        return {}
    finish_blob(path, key)
    return {key: path}


def mend_touched(store: Store, bad: Iterable[BadBlob]) -> None:
    """Give blobs whose bytes are right their time and mode again: in place, so that their links have them too."""
    for one in bad:
        if one.fault is Fault.TOUCHED:
            with suppress(FileNotFoundError):  # collected since
                finish_blob(f"{store.blobs}/{blob_name(one.key)}", one.key)


def remove_orphans(store: Store, index: Index, names: Collection[str]) -> None:
    """Remove files below ``blobs/`` that `audit.orphans_among` has found, unless they have become somebody's."""
    from wheelstore.store.audit import orphans_among

    doomed: list[str] = []
    ordered = sorted(names)
    for start in range(0, len(ordered), _AT_ONCE):
        batch = ordered[start : start + _AT_ONCE]
        with index.writing():
            for name in orphans_among(store, index, batch, locked=True):
                doomed.append(_in_trash(store))
                os.rename(f"{store.blobs}/{name}", doomed[-1])
    for path in doomed:
        remove(path)


def still_bad(store: Store, keys: Iterable[bytes]) -> list[BadBlob]:
    """Those of the blobs that are still not what they should be."""
    return [bad for key in sorted(keys) if (bad := check_blob(store.blobs, key)) is not None]


def remember_damage(index: Index, bad: Iterable[BadBlob]) -> None:
    """Keep what is bad, and what bytes it had, so that environments are healed even if this process dies before."""
    known = pending_damage(index)
    known.update((one.key, one.found) for one in bad if one.fault is not Fault.TOUCHED)
    text = "\n".join(f"{blob_name(key)} {found.hex()}" for key, found in sorted(known.items()))
    index.remember(_PENDING, text.encode())


def pending_damage(index: Index) -> dict[bytes, bytes]:
    """What bytes (by their BLAKE3) environments may have instead of some blobs, since a repair that did not end."""
    from wheelstore.store.blobs import blob_key

    lines = (index.recall(_PENDING) or b"").decode().splitlines()
    pairs = (line.split(" ") for line in lines)
    return {blob_key(name): bytes.fromhex(found) for name, found in pairs}


def forget_damage(index: Index) -> None:
    """Forget what `remember_damage` kept."""
    if index.recall(_PENDING):
        index.remember(_PENDING, b"")


def _flat(key: bytes) -> str:
    return blob_name(key).replace("/", "")


def _in_trash(store: Store) -> str:
    os.makedirs(store.trash, 0o700, exist_ok=True)
    return f"{store.trash}/bad-{os.getpid()}-{os.urandom(6).hex()}"
