"""Made-up wheels, locks of any number of packages (real ones first, then made-up ones), and a grid without an answer.

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
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.recording import METADATA, replace
from benchmarks.workshop import Workshop

PIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==(?:[^\n]*\\\n)*[^\n]*\n", re.MULTILINE)
FILES = 150  # of a wheel: the average of the large lock
DIRECTORY = 12  # files of a directory
WHEEL = b"Wheel-Version: 1.0\nGenerator: benchmarks\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
GRID = 80
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


def write_grid(shop: Workshop) -> None:
    """Put two projects of so many versions each into the index, that no pair of versions can be chosen of.

    Each version of one asks for its like of the other, which asks for its neighbour.
    """
    versions = range(1, GRID + 1)
    add_history(shop.index, "grid-left", {str(at): [f"grid-right=={at}"] for at in versions})
    add_history(shop.index, "grid-right", {str(at): [f"grid-left=={at % GRID + 1}"] for at in versions})
    shop.requirements("grid").write_text("grid-left\ngrid-right\n", encoding="utf-8")


def add_history(index: Path, project: str, versions: Mapping[str, Sequence[str]]) -> None:
    """Put versions of a project into a recorded index, each with what it requires; only their metadata can be had."""
    files = []
    for name in ("files", "pages"):
        (index / name).mkdir(parents=True, exist_ok=True)
    for version, requirements in versions.items():
        filename = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
        content = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
        content += "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
        replace(index / "files" / (filename + METADATA), content.encode())
        digest = hashlib.sha256(filename.encode()).hexdigest()
        files.append({"filename": filename, "url": filename, "hashes": {"sha256": digest}, "size": 1})
    page = {"meta": {"api-version": "1.1"}, "name": project, "versions": list(versions), "files": files}
    replace(index / "pages" / f"{project}.json", json.dumps(page).encode())
