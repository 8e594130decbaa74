"""How long `store gc` takes, what memory, and how long it keeps a sync waiting: `python benchmarks/collection.py`.

The store has as many blobs as asked for, a hundred to a wheel; 100 environments use half of the wheels, and the rest
goes. All of it is made up, but for one wheel that syncs are made of.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from wheelstore.store.blobs import blob_mtime, blob_name
from wheelstore.store.collection import collect
from wheelstore.store.filelist import StoredFile, pack
from wheelstore.store.index import EnvironmentRow, Generation, Index, WheelRow, open_index
from wheelstore.store.layout import Store, open_store
from wheelstore.store.policy import Policy
from wheelstore.store.tokens import filesystem_of, make_token

FILES = 100  # of a wheel
ENVIRONMENTS = 100
SYNCS = 20
STORE = str(Path(sysconfig.get_path("scripts"), "store"))
_CHILD_PEAK = "import resource,subprocess,sys; subprocess.run(sys.argv[1:], check=True); "
_CHILD_PEAK += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


def main() -> int:
    """Measure, and print what was found."""
    parser = argparse.ArgumentParser(prog="python benchmarks/collection.py", description=__doc__)
    parser.add_argument("--blobs", type=int, default=200_000)
    blobs = parser.parse_args().blobs
    with tempfile.TemporaryDirectory(prefix="collection-", dir=os.environ.get("TMPDIR")) as work:
        found = {
            "blobs": blobs,
            "environments": ENVIRONMENTS,
            "seconds": phases(Path(work, "timed"), blobs),
            "peak_kB": {str(count): peak(Path(work, f"peak-{count}"), count) for count in (blobs // 10, blobs)},
            "sync_ms": delays(Path(work, "delayed"), blobs),
        }
    print(json.dumps(found, indent=2))
    return 0


def make_store(directory: Path, blobs: int) -> Store:
    """A store with so many blobs, and its environments."""
    store = open_store(str(directory / "store"))
    chance = random.Random(blobs)
    with open_index(store.index_path) as index:
        wheels = []
        for number in range(blobs // FILES):
            row = make_wheel(store, number, chance)
            wheels.append(row.sha256)
            with index.writing():
                index.add_wheels([(row, [(one.key, one.size) for one in _files(row)])], now=1.0)
        used = wheels[::2]
        for number in range(ENVIRONMENTS):
            make_environment(store, index, directory / f"e{number}", used[number::ENVIRONMENTS])
    return store


def _files(row: WheelRow) -> list[StoredFile]:
    from wheelstore.store.filelist import unpack

    return unpack(row.files)


def make_wheel(store: Store, number: int, chance: random.Random) -> WheelRow:
    """Files of a wheel, made in one directory as ingest makes them."""
    files = []
    staging = f"{store.tmp}/{number}"
    os.mkdir(staging)
    for at in range(FILES):
        key, size = chance.randbytes(32), chance.randrange(100, 8000)
        staged = f"{staging}/{at}"
        with open(staged, "wb") as stream:
            stream.write(b"\0" * size)
        os.utime(staged, (blob_mtime(key), blob_mtime(key)))
        os.rename(staged, f"{store.blobs}/{blob_name(key)}")
        files.append(StoredFile(f"package{number}/module_number_{at}.py", key, size))
    os.rmdir(staging)
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    purelib = True
    return WheelRow(sha256, f"p{number}-1-py3-none-any.whl", f"p{number}", "1", 1000, purelib, pack(files), None)


def make_environment(store: Store, index: Index, path: Path, wheels: list[str]) -> None:
    """What gc sees of an environment."""
    name = path.name
    (path / ".wheelstore").mkdir(parents=True)
    make_token(store, name, str(path), root=str(path))
    with index.writing():
        index.put_manifest(name, b"content", b"plan" * 50_000, now=1.0, wheels=wheels)
        index.put_environment(
            EnvironmentRow(name, str(path), name, "hardlink", "3.12.1", 1.0, 1.0, filesystem_of(str(path)))
        )
        index.put_generation(Generation(name, 1, name, "", "", "", "3.12.1", "", 1.0))


def phases(directory: Path, blobs: int) -> dict[str, float]:
    """Seconds for each thing that a collection does, by what it tells of it."""
    store = make_store(directory, blobs)
    os.sync()
    seconds: dict[str, float] = {}
    doing, since = "", time.perf_counter()

    def watch(what: str, _done: int, _total: int) -> None:
        nonlocal doing, since
        now = time.perf_counter()
        seconds[doing] = seconds.get(doing, 0.0) + now - since
        doing, since = what, now

    with open_index(store.index_path) as index:
        freed = collect(store, index, Policy(), now=time.time(), watch=watch)
        watch("", 0, 0)
    del seconds[""]
    assert freed.blobs == blobs // 2, freed
    return {what: round(took, 3) for what, took in seconds.items()}


def peak(directory: Path, blobs: int) -> int:
    """The most memory that the command takes."""
    store = make_store(directory, blobs)
    command = [sys.executable, "-c", _CHILD_PEAK, STORE, "gc", "-q", "--store", store.root]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def delays(directory: Path, blobs: int) -> dict[str, float]:
    """Milliseconds that a warm sync of a new environment takes, alone and while a collection is under way; medians."""
    store = make_store(directory, blobs)
    lock = make_lock(directory)
    number = 0

    def sync() -> float:
        nonlocal number
        number += 1
        venv = str(directory / f"fresh{number}")
        command = [STORE, "sync", str(lock), "--venv", venv, "--store", store.root, "-q"]
        started = time.perf_counter()
        subprocess.run([*command, "--python", sys.executable], check=True)
        return (time.perf_counter() - started) * 1000

    subprocess.run([STORE, "sync", str(lock), "--venv", str(directory / "first"), "--store", store.root, "-q",
                    "--no-index", "--find-links", str(directory), "--python", sys.executable], check=True)  # fmt: skip
    alone = [sync() for _ in range(SYNCS // 2)]
    during = _while_collecting(store, sync)
    alone += [sync() for _ in range(SYNCS // 2)]
    return {
        "alone": round(statistics.median(alone), 1),
        "meanwhile": round(statistics.median(during), 1),
        "worst": round(max(during), 1),
        "count": len(during),
    }


def _while_collecting(store: Store, sync: Callable[[], float]) -> list[float]:
    """Syncs while a collection is under way, as many as it takes, at most `SYNCS`."""
    collection = subprocess.Popen([STORE, "gc", "-q", "--store", store.root])
    during: list[float] = []
    while len(during) < SYNCS:
        took = sync()
        if collection.poll() is not None:
            break
        during.append(took)
    if collection.wait():
        raise SystemExit("the collection failed")
    return during


def make_lock(directory: Path) -> Path:
    """A wheel of 50 files beside its lock."""
    files = {f"small/m{number}.py": f"n = {number}\n".encode() for number in range(50)}
    files["small-1.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: small\nVersion: 1\n"
    files["small-1.dist-info/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: made\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    digests = {name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()) for name, data in files.items()}
    record = [f"{name},sha256={digests[name].decode().rstrip('=')},{len(data)}\n" for name, data in files.items()]
    files["small-1.dist-info/RECORD"] = "".join([*record, "small-1.dist-info/RECORD,,\n"]).encode()
    wheel = directory / "small-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    lock = directory / "lock.txt"
    lock.write_text(f"small==1 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return lock


if __name__ == "__main__":
    sys.exit(main())
