"""Locks of wheels that tests made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from support.wheels import sha256_of


def write_lock(path: Path, wheels: Iterable[Path], *, sha256: Mapping[str, str] | None = None) -> Path:
    """Pin each wheel by name, version and hash; `sha256` has hashes to write instead, by filename."""
    lines = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        digest = (sha256 or {}).get(wheel.name) or sha256_of(wheel)
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    path.write_text("".join(lines))
    return path
