"""What dead operations left behind: unfinished things, partial downloads, lock files, tokens of nobody's, trash.

An operation takes its lease before it makes anything, and gives it up last. So what was there before the leases were
looked at belongs to one of those that are alive, or to nobody.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wheelstore.store.btrfs import destroy
from wheelstore.store.claims import claim_tree, try_claim
from wheelstore.store.layout import Store
from wheelstore.store.lease import is_alive, lease_files

_DOWNLOAD = re.compile(r"([0-9a-f]{64})\.whl")
_RECORD_BEGUN = re.compile(r"[0-9a-f]{64}\.\d+-[0-9a-f]{8}")
_OPERATION = "op-"


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that can go: `size` is what it takes up that nothing else does.

    `claim` is the wheel that a download is of, `lease` the id that a lock file is of.
    """

    path: str
    size: int
    claim: str = ""
    lease: str = ""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What nobody needs any more; `tokens` are names of tokens that no environment has a link to.

    `images` are the names of all that looks like an image, whether it is one or not: that is for the index to say.
    """

    files: Sequence[Leftover]
    trash: Sequence[Leftover]
    locks: Sequence[Leftover]
    tokens: Sequence[str]
    images: Sequence[str]
    live: frozenset[str]


def find_leftovers(store: Store) -> Leftovers:
    """Look what there is; touches nothing."""
    tmp, trash, tokens = _names(store.tmp), _names(store.trash), _names(store.tokens)
    records, images = _names(store.records), _names(store.images)
    leases = {identifier: is_alive(store, identifier, tidy=False) for identifier in lease_files(store)}
    live = frozenset(identifier for identifier, alive in leases.items() if alive)
    return Leftovers(
        files=[
            *(found for name in tmp if (found := _temporary(store, name, live))),
            *(_leftover(f"{store.records}/{name}") for name in records if not live and _RECORD_BEGUN.fullmatch(name)),
            *(_leftover(f"{store.images}/{name}") for name in images if _builder(name) and _builder(name) not in live),
        ],
        trash=[_leftover(f"{store.trash}/{name}") for name in trash if not _is_being_removed(f"{store.trash}/{name}")],
        locks=[Leftover(f"{store.locks}/{one}", 0, lease=one) for one in sorted(leases.keys() - live)],
        tokens=[name for name in tokens if not live and _links(f"{store.tokens}/{name}") == 1],
        images=[name for name in images if not _builder(name)],
        live=live,
    )


def remove_leftover(store: Store, leftover: Leftover) -> bool:
    """Remove it; false if somebody goes on with it after all."""
    if leftover.lease:
        return not is_alive(store, leftover.lease)  # removed while locked, as it may just have been made
    if not leftover.claim:
        return _remove_unclaimed(leftover.path)
    descriptor = try_claim(f"{store.locks}/claims", leftover.claim)
    if descriptor < 0:
        return False
    try:
        remove(leftover.path)
    finally:
        os.close(descriptor)
    return True


def _remove_unclaimed(path: str) -> bool:
    """Remove it, unless it is a directory that somebody else is removing already, or that is not ours to empty."""
    try:
        claim = claim_tree(path)
    except BlockingIOError:
        return False
    try:
        remove(path)
    except PermissionError:  # an environment may have held somebody else's files
        if claim < 0:
            raise
        return False
    finally:
        if claim >= 0:
            os.close(claim)
    return True


def _is_being_removed(path: str) -> bool:
    try:
        claim = claim_tree(path)
    except BlockingIOError:
        return True
    if claim >= 0:
        os.close(claim)
    return False


def remove(path: str) -> None:
    """Remove a file or a directory, whatever modes are in there; nothing, if it is gone already."""
    try:
        try:
            os.unlink(path)
        except PermissionError:
            if os.name != "nt" or os.path.isdir(path):
                raise
            os.chmod(path, 0o600)  # Windows removes nothing that is read-only
            os.unlink(path)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        if not os.path.isdir(path):
            raise
        _remove_tree(path)


def _remove_tree(path: str) -> None:
    from shutil import rmtree

    if destroy(path):
        return
    os.chmod(path, 0o700)
    for directory, directories, files in os.walk(path):
        for name in directories:
            if not os.path.islink(f"{directory}/{name}") and not destroy(f"{directory}/{name}"):
                os.chmod(f"{directory}/{name}", 0o700)
        if os.name == "nt":
            for name in files:
                os.chmod(f"{directory}/{name}", 0o600)
    rmtree(path)


def _temporary(store: Store, name: str, live: frozenset[str]) -> Leftover | None:
    path = f"{store.tmp}/{name}"
    if download := _DOWNLOAD.match(name):
        return None if _is_claimed(store, download[1]) else _leftover(path, download[1])
    if name.removeprefix(_OPERATION) in live:
        return None
    if live and not name.startswith(f"{_OPERATION}lease-"):  # it may be any of theirs
        return None
    return _leftover(path)


def _builder(name: str) -> str:
    """The lease of the operation that builds an image beside its place; empty for what has its place."""
    return name.partition(".")[2]


def _is_claimed(store: Store, sha256: str) -> bool:
    claims = f"{store.locks}/claims"
    if not os.path.exists(claims):
        return False
    descriptor = try_claim(claims, sha256)
    if descriptor >= 0:
        os.close(descriptor)
    return descriptor < 0


def _leftover(path: str, claim: str = "") -> Leftover:
    return Leftover(path, sum(map(_size, _files(path))), claim)


def _files(path: str) -> Iterator[str]:
    if os.path.islink(path) or not os.path.isdir(path):
        yield path
        return
    for directory, _, files in os.walk(path):
        for name in files:
            yield f"{directory}/{name}"


def _size(path: str) -> int:
    """What goes with a file; nothing, if it has other names."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return 0
    return status.st_size if status.st_nlink == 1 and stat.S_ISREG(status.st_mode) else 0


def _links(path: str) -> int:
    try:
        return os.stat(path).st_nlink
    except FileNotFoundError:
        return 0


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
