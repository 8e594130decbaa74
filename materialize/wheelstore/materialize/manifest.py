"""A manifest: the full content of one environment, canonical, named by its digest. On the warm path."""

from __future__ import annotations

from blake3 import blake3

from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelstore.materialize.distribution import Installed

_MAGIC = "wheelstore-manifest-1"


class ManifestWheel(NamedTuple):
    """A wheel as a manifest names it; `direct_url` is the text of its direct_url.json (PEP 610), if any."""

    name: str
    version: str
    sha256: str
    direct_url: str | None


def manifest_content(wheels: Iterable[Installed], identity: str) -> bytes:
    """The canonical text: the interpreter's identity, then a line for each wheel, in the order of names.

    Two locks in whatever order and spelling that mean the same wheels have the same manifest.
    """
    lines = sorted(
        "\t".join((item.wheel.name, item.wheel.version, item.wheel.sha256, item.direct_url or "")) for item in wheels
    )
    return "\n".join((_MAGIC, identity, *lines)).encode()


def manifest_wheels(content: bytes) -> list[ManifestWheel]:
    """The wheels of a manifest from its canonical text, by name."""
    lines = (line.split("\t", 3) for line in content.decode().split("\n")[2:])
    return [ManifestWheel(name, version, sha256, url or None) for name, version, sha256, url in lines]


def manifest_identity(content: bytes) -> str:
    """The identity of the interpreter that a manifest is for."""
    return content.decode().split("\n", 2)[1]


def manifest_digest(content: bytes) -> str:
    """The name of a manifest: the BLAKE3 of its content, in hex."""
    return blake3(content).hexdigest()
