"""What a wheel's RECORD says about its files, and whether that is true.

Recording installed projects: https://packaging.python.org/specifications/recording-installed-packages/;
Binary distribution format (PEP 427), "Signed wheel files". Hot: 12,000 lines take 30 ms, the comparison included.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Mapping, Sequence

from wheelstore.store.archive import Entry
from wheelstore.store.refusal import BadWheel, Rule

Recorded = tuple[bytes, int | None]
"""A file's digest and its size in bytes, if stated. The digest's length tells the algorithm (`ALGORITHMS`)."""

ALGORITHMS = {32: "sha256", 48: "sha384", 64: "sha512"}
"""The hash algorithms that RECORD may use ("at least sha256"), as `hashlib` calls them, by size of digest."""

_SIZES = {algorithm: size for size, algorithm in ALGORITHMS.items()}
_PADDING = {("sha256", 43): "=", ("sha384", 64): "", ("sha512", 86): "=="}
"""What the base64 of a digest lacks in RECORD, by algorithm and length."""


def parse_record(text: bytes, entry: str) -> dict[str, Recorded]:
    """Everything that the RECORD named `entry` says of the files that need a hash: not itself, nor its signatures.

    Raises:
        BadWheel: RECORD is not UTF-8 CSV, or a line has no hash, a weak hash, or other nonsense.
    """
    try:
        rows = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadWheel(entry, Rule.RECORD, str(error)) from None
    unhashed = unhashed_names(entry)
    record: dict[str, Recorded] = {}
    a2b_base64 = binascii.a2b_base64
    for row in rows:
        if len(row) != 3:
            if not any(row):
                continue
            raise BadWheel(entry, Rule.RECORD, f"not three columns: {','.join(row)!r:.200}")
        name, stated_hash, stated_size = row
        if name in unhashed:
            continue
        algorithm, _, encoded = stated_hash.partition("=")
        padding = _PADDING.get((algorithm, len(encoded)))
        try:
            if padding is None:
                digest = _uncommon_digest(algorithm, encoded)
            else:
                digest = a2b_base64(encoded.replace("-", "+").replace("_", "/") + padding, strict_mode=True)
            size = int(stated_size) if stated_size else None
        except ValueError:
            raise BadWheel(name, _broken_rule(stated_hash)) from None
        if record.setdefault(name, (digest, size)) != (digest, size):
            raise BadWheel(name, Rule.RECORD_TWICE)
    return record


def unhashed_names(entry: str) -> frozenset[str]:
    """The files that the RECORD named `entry` need not give a hash for, nor list at all."""
    return frozenset((entry, f"{entry}.jws", f"{entry}.p7s"))


def check_listed(record: Mapping[str, Recorded], entries: Sequence[Entry], record_name: str) -> None:
    """Compare `record` with the archive: the same files, each of the size stated.

    Raises:
        BadWheel: naming the first file that differs.
    """
    unhashed = unhashed_names(record_name)
    count = 0
    for entry in entries:
        name = entry.name
        stated = record.get(name)
        if stated is None:
            if name not in unhashed:
                raise BadWheel(name, Rule.RECORD_UNLISTED)
            continue
        count += 1
        if stated[1] != entry.size and stated[1] is not None:
            raise BadWheel(name, Rule.RECORD_SIZE, f"{stated[1]} bytes instead of {entry.size}")
    if count != len(record):
        names = {entry.name for entry in entries}
        raise BadWheel(next(name for name in record if name not in names), Rule.RECORD_ABSENT)


def _uncommon_digest(algorithm: str, encoded: str) -> bytes:
    """A digest in hexadecimal, as PyQt5 5.6 and gmsh write it, or in base64 with its padding."""
    if algorithm not in _SIZES:
        raise ValueError
    size = _SIZES[algorithm]
    if len(encoded) == 2 * size:
        return binascii.a2b_hex(encoded)
    digest = base64.b64decode(encoded, altchars=b"-_", validate=True)
    if len(digest) != size:
        raise ValueError
    return digest


def _broken_rule(stated_hash: str) -> Rule:
    """Which rule a line of RECORD with this hash breaks."""
    if not stated_hash:
        return Rule.RECORD_UNHASHED
    if stated_hash.partition("=")[0] not in ALGORITHMS.values():
        return Rule.RECORD_ALGORITHM
    return Rule.RECORD_FORMAT
