"""A manifest: the full content of one environment, canonical, named by its digest. On the warm path."""

from __future__ import annotations

from blake3 import blake3

from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelstore.materialize.distribution import Installed

_MAGIC = "wheelstore-manifest-1"
_BYTECODE = "bytecode="


class ManifestWheel(NamedTuple):
    """A wheel as a manifest names it; `direct_url` is the text of its direct_url.json (PEP 610), if any."""

    name: str
    version: str
    sha256: str
    direct_url: str | None


def manifest_content(wheels: Iterable[Installed], identity: str, *, bytecode: Iterable[int] = ()) -> bytes:
    """The canonical text: what kind it is, the interpreter's identity, then a line a wheel, in the order of names.

    Two locks in whatever order and spelling that mean the same wheels have the same manifest. `bytecode` are the
    optimisation levels for which the environment has bytecode.
    """
    kind = f"{_MAGIC} {_BYTECODE}{bytecode_word(bytecode)}" if bytecode else _MAGIC
    lines = sorted(
        "\t".join((item.wheel.name, item.wheel.version, item.wheel.sha256, item.direct_url or "")) for item in wheels
    )
    return "\n".join((kind, identity, *lines)).encode()


def manifest_wheels(content: bytes) -> list[ManifestWheel]:
    """The wheels of a manifest from its canonical text, by name."""
    lines = (line.split("\t", 3) for line in content.decode().split("\n")[2:])
    return [ManifestWheel(name, version, sha256, url or None) for name, version, sha256, url in lines]


def manifest_identity(content: bytes) -> str:
    """The identity of the interpreter that a manifest is for."""
    return content.decode().split("\n", 2)[1]


def manifest_bytecode(content: bytes) -> tuple[int, ...]:
    """The optimisation levels for which an environment of the manifest has bytecode; none if it has none."""
    option = content.decode().partition("\n")[0].removeprefix(_MAGIC).strip()
    return bytecode_levels(option.removeprefix(_BYTECODE))


def bytecode_word(levels: Iterable[int]) -> str:
    """Optimisation levels as a word, ``0,2``: how manifests, states and questions name them."""
    return ",".join(map(str, sorted(set(levels))))


def bytecode_levels(word: str) -> tuple[int, ...]:
    """The inverse of `bytecode_word`."""
    return tuple(map(int, word.split(","))) if word else ()


def manifest_digest(content: bytes) -> str:
    """The name of a manifest: the BLAKE3 of its content, in hex."""
    return blake3(content).hexdigest()
