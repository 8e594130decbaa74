"""RECORD files: the lines that depend on the environment, and reading those that other installers wrote.

Recording installed projects specification (PEP 376, 627). On the warm path: `csv` is imported only to read.
"""

from __future__ import annotations

import os
from binascii import b2a_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

try:  # the digest itself, without hashlib's OpenSSL, whose loading takes 4 ms
    from _sha2 import sha256  # type: ignore[import-not-found]
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha256


def record_hash(content: bytes) -> str:
    """A RECORD line's second field for `content`."""
    return hash_field("sha256", sha256(content).digest())


def hash_field(algorithm: str, digest: bytes) -> str:
    """A digest as RECORD has it: URL-safe base64 without padding."""
    text = b2a_base64(digest, newline=False).rstrip(b"=")
    return f"{algorithm}={text.translate(_URL_SAFE).decode()}"


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def relative_to_site(target: str, site: str) -> str:
    """A path under the environment as RECORD names it: relative to the directory that holds the dist-info."""
    if target.startswith(f"{site}/"):
        return target[len(site) + 1 :]
    here, there = site.split("/"), target.split("/")
    common = 0
    while common < len(here) and here[common] == there[common]:
        common += 1
    return "/".join([".."] * (len(here) - common) + there[common:])


def record_line(path: str, digest: str, size: str) -> str:
    """One line, quoted as CSV where the path needs it."""
    if "," in path or '"' in path:
        path = '"' + path.replace('"', '""') + '"'
    return f"{path},{digest},{size}"


def finish_record(head: bytes, scripts: Mapping[str, bytes], site: str) -> bytes:
    """`head`, which lists all other files, with a line for each of `scripts` (content by target), sorted."""
    lines = head.decode().rstrip("\n").split("\n")  # not `splitlines`: a name may hold a U+2028
    for target, content in scripts.items():
        lines.append(record_line(relative_to_site(target, site), record_hash(content), str(len(content))))
    return ("\n".join(sorted(lines)) + "\n").encode()


def read_record(path: str) -> list[str] | None:
    """The paths that a RECORD lists, as it lists them; None if there is no RECORD that can be read."""
    import csv

    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            return [row[0] for row in csv.reader(stream) if row and row[0]]
    except (OSError, UnicodeDecodeError, csv.Error):
        return None


def inside(root: str, site: str, listed: str) -> str | None:
    """The path below `root` that a RECORD in `site` (relative to `root`) means by `listed`; None if it leaves `root`.

    An absolute path counts if it is below `root` as written; `..` is resolved by text, so that a link cannot lead out.
    """
    if "\0" in listed:
        return None
    if os.path.isabs(listed):
        path, root = os.path.normpath(listed), os.path.normpath(root)
        return os.path.relpath(path, root).replace(os.sep, "/") if path.startswith(root + os.sep) else None
    path = os.path.normpath(f"{site}/{listed}").replace(os.sep, "/")
    return None if path.startswith("../") or path in ("..", ".") else path
