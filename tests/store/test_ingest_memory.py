"""Large files pass through ingest in pieces."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from support.archives import DEFLATED, STORED, Fields, RawArchive
from support.stores import make_stock
from support.wheels import make_wheel, record_hash, sha256_of

STAGE = """
import sys
from wheelstore.store.archive import DEFAULT_LIMITS
from wheelstore.store.ingest import WheelFile, stage

def most():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

blobs, operation, path, filename, sha256 = sys.argv[1:]
before = most()
stage(blobs, operation, WheelFile(path=path, filename=filename, sha256=sha256), DEFAULT_LIMITS)
print(most() - before)
"""
PIECE = os.urandom(16 << 10) + bytes((1 << 20) - (16 << 10))  # deflates to a 64th; wheels may reach a 200th


def deflated(count: int) -> bytes:
    """A deflate stream of `count` pieces, of which one has to be compressed."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    return (deflate.compress(PIECE) + deflate.flush(zlib.Z_FULL_FLUSH)) * count + b"\3\0"


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="there is no /proc to read the memory's peak from")
@pytest.mark.parametrize(("method", "count"), [(DEFLATED, 400), (STORED, 100)], ids=["deflated", "stored"])
def test_a_file_of_hundreds_of_megabytes_takes_little_memory(tmp_path: Path, method: int, count: int) -> None:
    digest, crc = hashlib.sha256(), 0
    for _ in range(count):
        digest.update(PIECE)
        crc = zlib.crc32(PIECE, crc)
    recorded = "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()

    def enlarge(raw: RawArchive) -> None:
        entry = raw["big"]
        entry.method, entry.payload = method, deflated(count) if method else PIECE * count
        entry.local = entry.central = Fields(crc=crc, size=len(PIECE) * count)

    wheel = make_wheel(
        tmp_path,
        files={"big": b""},
        record=lambda text: text.replace(f"big,{record_hash(b'')},0", f"big,{recorded},{len(PIECE) * count}"),
        archive=enlarge,
    )
    stock = make_stock(tmp_path / "store")
    operation = f"{stock.store.tmp}/op"
    command = [sys.executable, "-c", STAGE, stock.store.blobs, operation, str(wheel), wheel.name, sha256_of(wheel)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 24 << 10  # KiB
    assert max(entry.stat().st_size for entry in os.scandir(f"{operation}/{sha256_of(wheel)}")) == len(PIECE) * count
    shutil.rmtree(operation)  # pytest would keep it
