"""RECORDs that real wheels have and the specification does not foresee."""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

from support.stores import put_blob
from support.wheels import make_wheel, record_hash

from wheelstore.materialize.distribution import Blobs, Installed, Scheme, plan_environment
from wheelstore.store.archive import DEFAULT_LIMITS
from wheelstore.store.blobs import blob_name
from wheelstore.store.ingest import WheelFile, publish, stage

SITE = "lib/python3.12/site-packages"
SCHEME = Scheme(purelib=SITE, platlib=SITE, scripts="bin", include="include/site/python3.12")
CODE = b"answer = 42\n"


def installed_record(tmp_path: Path, wheel: Path) -> dict[str, str]:
    """The hash fields of the RECORD that an environment with `wheel` gets."""
    blobs, operation = tmp_path / "blobs", tmp_path / "operation"
    for number in range(256):
        (blobs / f"{number:02x}").mkdir(parents=True)
    operation.mkdir()
    file = WheelFile(path=str(wheel), filename=wheel.name, sha256="a" * 64)
    row = stage(str(blobs), str(operation), file, DEFAULT_LIMITS)
    publish(str(blobs), str(operation), file)

    def read(key: bytes) -> bytes:
        return (blobs / blob_name(key)).read_bytes()

    plan = plan_environment(
        [Installed(wheel=row)], SCHEME, Blobs(read, lambda data: put_blob(str(blobs), str(operation), data))
    )
    sources = dict(zip(plan.targets, plan.sources, strict=True))
    text = (blobs / sources[f"{SITE}/demo-1.0.dist-info/RECORD"]).read_text()
    return {path: field for path, field, _ in csv.reader(text.splitlines())}


def test_hexadecimal_and_padded_hashes_are_written_as_the_specification_says(tmp_path: Path) -> None:
    def odd(record: str) -> str:
        text = record.replace(record_hash(CODE), f"sha256={hashlib.sha256(CODE).hexdigest()}")
        return re.sub(r"(METADATA,sha256=[\w-]+)", r"\1=", text)

    wheel = make_wheel(tmp_path, files={"demo.py": CODE}, record=odd)
    fields = installed_record(tmp_path, wheel)
    assert fields["demo.py"] == record_hash(CODE)
    assert re.fullmatch(r"sha256=[\w-]{43}", fields["demo-1.0.dist-info/METADATA"])


def test_metadata_that_a_wheel_carries_deeper_down_is_not_its_own(tmp_path: Path) -> None:
    files = {"a/_vendor/six-1.0.dist-info/RECORD": b"six.py,,\n", "demo.py": CODE}
    fields = installed_record(tmp_path, make_wheel(tmp_path, files=files))
    assert fields["demo.py"] == record_hash(CODE)
    assert "a/_vendor/six-1.0.dist-info/RECORD" in fields
