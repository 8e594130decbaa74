"""Made-up wheels, and locks of any number of packages: real ones first, then made-up ones.

The wheels go into the recorded index like real ones. Their content depends on their number alone, so that they are
the same in every run.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import re
import zipfile
from pathlib import Path

from benchmarks.recording import METADATA, replace

PIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==(?:[^\n]*\\\n)*[^\n]*\n", re.MULTILINE)
FILES = 150  # of a wheel: the average of the large lock
DIRECTORY = 12  # files of a directory
WHEEL = b"Wheel-Version: 1.0\nGenerator: benchmarks\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
STAMP = (2020, 1, 1, 0, 0, 0)


def pins(lock: str) -> list[str]:
    """The pins of a lock with their hashes, each as it stands there."""
    return PIN.findall(lock)


def name_of(number: int) -> str:
    """The project of a made-up wheel."""
    return f"synthetic-{number:03}"


def wheel(number: int) -> tuple[str, bytes]:
    """A made-up wheel: its filename and its bytes."""
    module = name_of(number).replace("-", "_")
    information = f"{module}-1.dist-info"
    chance = random.Random(number)
    files = {f"{module}/__init__.py": b""}
    for at in range(FILES - 5):
        code = "".join(f"value_{line} = {chance.getrandbits(64)}\n" for line in range(chance.randrange(5, 120)))
        files[f"{module}/part_{at // DIRECTORY}/module_{at}.py"] = code.encode()
    files[f"{information}/METADATA"] = metadata(number)
    files[f"{information}/WHEEL"] = WHEEL
    rows = [f"{path},sha256={encoded(content)},{len(content)}\n" for path, content in files.items()]
    files[f"{information}/RECORD"] = "".join([*rows, f"{information}/RECORD,,\n"]).encode()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, STAMP)
            entry.external_attr = 0o100644 << 16
            target.writestr(entry, content, zipfile.ZIP_DEFLATED, 1)
    return f"{module}-1-py3-none-any.whl", archive.getvalue()


def metadata(number: int) -> bytes:
    """The METADATA of a made-up wheel."""
    return f"Metadata-Version: 2.1\nName: {name_of(number)}\nVersion: 1\n".encode()


def encoded(content: bytes) -> str:
    """A hash as RECORD writes it (PEP 376)."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def add(index: Path, number: int) -> str:
    """Put a made-up wheel into a recorded index; its pin for a lock."""
    filename, content = wheel(number)
    digest = hashlib.sha256(content).hexdigest()
    for name in ("files", "pages"):
        (index / name).mkdir(parents=True, exist_ok=True)
    replace(index / "files" / filename, content)
    replace(index / "files" / (filename + METADATA), metadata(number))
    file = {"filename": filename, "url": filename, "hashes": {"sha256": digest}, "size": len(content)}
    page = {"meta": {"api-version": "1.1"}, "name": name_of(number), "versions": ["1"], "files": [file]}
    replace(index / "pages" / f"{name_of(number)}.json", json.dumps(page).encode())
    return f"{name_of(number)}==1 \\\n    --hash=sha256:{digest}\n"


def grow(lock: str, packages: int, index: Path) -> str:
    """A lock of so many packages: a part of `lock` spread evenly over it, or all of it and made-up ones."""
    real = pins(lock)
    if packages <= len(real):
        return "".join(real[number * len(real) // packages] for number in range(packages))
    return "".join([*real, *(add(index, number) for number in range(packages - len(real)))])
