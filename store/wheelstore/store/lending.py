"""What an environment needs and a store that is only read lacks: the small files that are made rather than unpacked.

The store's owner has them where a lock was added or synced, for an interpreter like this one. Otherwise they are made
in a directory of the operation's own that looks like the store's blobs, which it links to.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping

from wheelstore.store.blobs import blob_mtime, blob_name


def lend(blobs: str, made: Mapping[bytes, bytes], names: Iterable[str]) -> str:
    """Make a directory from which all of `names` can be read as from `blobs`, and the contents `made`, by key, as well.

    It is the caller's to remove; "" if `blobs` itself has everything.
    """
    missing = {blob_name(key): key for key in made if not os.path.exists(f"{blobs}/{blob_name(key)}")}
    if not missing:
        return ""
    directory = tempfile.mkdtemp(prefix="wheelstore-")
    try:
        _fill(directory, blobs, made, missing, set(names))
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return directory


def _fill(
    directory: str, blobs: str, made: Mapping[bytes, bytes], missing: Mapping[str, bytes], names: Collection[str]
) -> None:
    own = {name[:2] for name in missing}
    for shard in own:
        os.mkdir(f"{directory}/{shard}")
    for name in names:
        if name[:2] in own and name not in missing:
            os.symlink(f"{blobs}/{name}", f"{directory}/{name}")
        elif name[:2] not in own and not os.path.lexists(f"{directory}/{name[:2]}"):
            os.symlink(f"{blobs}/{name[:2]}", f"{directory}/{name[:2]}")
    for name, key in missing.items():
        with open(f"{directory}/{name}", "xb") as stream:
            stream.write(made[key])
        os.utime(f"{directory}/{name}", (blob_mtime(key), blob_mtime(key)))
