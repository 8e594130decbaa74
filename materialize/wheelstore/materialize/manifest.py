"""A manifest: the full content of one environment, canonical, named by its digest. On the warm path."""

from __future__ import annotations

from blake3 import blake3

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelstore.materialize.distribution import Installed

_MAGIC = "wheelstore-manifest-1"


def manifest_content(wheels: Iterable[Installed], identity: str) -> bytes:
    """The canonical text: the interpreter's identity, then a line for each wheel, in the order of names.

    Two locks in whatever order and spelling that mean the same wheels have the same manifest.
    """
    lines = sorted(
        "\t".join((item.wheel.name, item.wheel.version, item.wheel.sha256, item.direct_url or "")) for item in wheels
    )
    return "\n".join((_MAGIC, identity, *lines)).encode()


def manifest_digest(content: bytes) -> str:
    """The name of a manifest: the BLAKE3 of its content, in hex."""
    return blake3(content).hexdigest()
