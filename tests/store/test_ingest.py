import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.archives import DEFLATED, EXECUTABLE, FILE, STORED, Fields, RawArchive
from support.bad_wheels import BAD_WHEELS, BadCase, make_bad_wheel
from support.stores import Stock, files_of, make_stock
from support.wheels import make_wheel, record_hash

from wheelstore.store import ingest
from wheelstore.store.blobs import blob_key, blob_mtime
from wheelstore.store.filelist import unpack
from wheelstore.store.index import open_index
from wheelstore.store.ingest import Generated, blobs_of, lacking, publish
from wheelstore.store.refusal import BadWheel, Rule

BODY = b"spam and eggs\n"
LARGE_BODY = b"".join(b"%07x\n" % number for number in range(40_000))


@pytest.fixture(autouse=True)
def _large_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """`LARGE_BODY` is streamed, in several pieces, stored and deflated."""
    monkeypatch.setattr(ingest, "_WHOLE", 16 << 10)
    monkeypatch.setattr(ingest, "_CHUNK", 5000)


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    return make_stock(tmp_path / "store")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    """A store for wheels that do not get into it."""
    return make_stock(tmp_path_factory.mktemp("bare") / "store")


def with_method(method: int) -> Callable[[RawArchive], None]:
    def change(raw: RawArchive) -> None:
        for entry in raw.entries:
            entry.method = method

    return change


def refused(stock: Stock, wheel: Path, *, metadata_sha256: str | None = None) -> BadWheel:
    """The refusal of `wheel`, which left the blobs alone."""
    before = stock.names()
    with pytest.raises(BadWheel) as caught:
        stock.stage(wheel, metadata_sha256=metadata_sha256)
    assert stock.names() == before
    assert caught.value.wheel == wheel.name
    return caught.value


@pytest.mark.parametrize("case", BAD_WHEELS.values(), ids=BAD_WHEELS)
def test_a_bad_wheel_is_refused_and_nothing_published(bare: Stock, tmp_path: Path, case: BadCase) -> None:
    assert refused(bare, make_bad_wheel(tmp_path, case)).rule is case.rule


def test_metadata_is_held_to_what_was_served_in_its_place(bare: Stock, tmp_path: Path) -> None:
    metadata = b"Name: demo\nVersion: 1.0\nRequires-Dist: one\n"
    wheel = make_wheel(tmp_path, metadata=metadata)
    for served in (metadata + b"Requires-Dist: two\n", metadata.replace(b"\n", b"\r\n")):
        bad = refused(bare, wheel, metadata_sha256=hashlib.sha256(served).hexdigest())
        assert (bad.rule, bad.entry) == (Rule.METADATA_SERVED, "demo-1.0.dist-info/METADATA")
        assert "lock another version" in bad.hint
    for sha256 in (hashlib.sha256(metadata).hexdigest(), None):
        assert bare.stage(wheel, metadata_sha256=sha256)[2].name == "demo"


SIZES = pytest.mark.parametrize("body", [BODY * 9, LARGE_BODY], ids=["small", "streamed"])
METHODS = pytest.mark.parametrize("method", [STORED, DEFLATED], ids=["stored", "deflated"])
ALGORITHMS = pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])


def unsized(text: str) -> str:
    return "".join(f"{line.rpartition(',')[0]},\n" for line in text.splitlines())


def changed(wheel_directory: Path, body: bytes, method: int, **fields: object) -> Path:
    """A wheel of one file, ``a``, whose entry differs as `fields` say; RECORD gives no sizes."""

    def change(raw: RawArchive) -> None:
        raw["a"].method = method
        for name, value in fields.items():
            setattr(raw["a"], name, value)

    return make_wheel(wheel_directory, files={"a": body}, record=unsized, archive=change)


@SIZES
@METHODS
@ALGORITHMS
def test_a_file_is_held_to_the_hash_in_record(
    stock: Stock, tmp_path: Path, body: bytes, method: int, algorithm: str
) -> None:
    def say(of: bytes) -> Callable[[str], str]:
        return lambda text: text.replace(record_hash(body), record_hash(of, algorithm))

    good = make_wheel(tmp_path / "good", files={"a": body}, record=say(body), archive=with_method(method))
    assert stock.read(files_of(stock.add(good))["a"].key) == body
    bad = make_wheel(tmp_path / "bad", files={"a": body}, record=say(b"other"), archive=with_method(method))
    error = refused(stock, bad)
    assert (error.entry, error.rule) == ("a", Rule.RECORD_HASH)


@SIZES
@METHODS
def test_a_file_is_held_to_its_crc(bare: Stock, tmp_path: Path, body: bytes, method: int) -> None:
    lie = Fields(crc=1)
    error = refused(bare, changed(tmp_path, body, method, local=lie, central=lie))
    assert (error.entry, error.rule) == ("a", Rule.CRC)


@SIZES
@pytest.mark.parametrize("difference", [-1, 1, -100, 100])
def test_a_stream_is_held_to_the_stated_size(bare: Stock, tmp_path: Path, body: bytes, difference: int) -> None:
    lie = Fields(size=len(body) + difference)
    error = refused(bare, changed(tmp_path, body, DEFLATED, local=lie, central=lie))
    assert error.entry == "a"
    assert error.rule in (Rule.SIZE, Rule.DATA)


@SIZES
@pytest.mark.parametrize(
    "spoil",
    [
        lambda stream: b"\xff" * len(stream),
        lambda stream: stream[: len(stream) // 2] + b"\xff" * 9 + stream[len(stream) // 2 :],
        lambda stream: stream[:-1],
        lambda stream: stream + b"more",
        lambda stream: stream + stream,
        lambda stream: stream + bytes(9000),
    ],
    ids=["garbage", "garbage inside", "cut", "tail", "two streams", "long tail"],
)
def test_a_damaged_stream_is_refused(bare: Stock, tmp_path: Path, body: bytes, spoil: Callable[[bytes], bytes]) -> None:
    payload = spoil(RawArchive().add("", body).compressed())
    error = refused(bare, changed(tmp_path, body, DEFLATED, payload=payload))
    assert error.entry == "a"
    assert error.rule in (Rule.DATA, Rule.SIZE)


@SIZES
def test_a_stream_without_an_end_is_refused(bare: Stock, tmp_path: Path, body: bytes) -> None:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    payload = deflate.compress(body) + deflate.flush(zlib.Z_SYNC_FLUSH)
    assert refused(bare, changed(tmp_path, body, DEFLATED, payload=payload)).rule is Rule.DATA


def test_a_tail_that_begins_a_new_piece_is_refused(
    bare: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = os.urandom(20_000)  # its stream is longer, so that one piece of it inflates at once
    stream = RawArchive().add("", body).compressed()
    monkeypatch.setattr(ingest, "_CHUNK", len(stream))
    assert refused(bare, changed(tmp_path, body, DEFLATED, payload=stream + b"more")).rule is Rule.DATA


def test_no_more_is_written_than_stated(stock: Stock, tmp_path: Path) -> None:
    lie = Fields(size=20_000)
    refused(stock, changed(tmp_path, LARGE_BODY, DEFLATED, local=lie, central=lie))
    assert sum(file.stat().st_size for file in Path(stock.store.tmp).rglob("large")) <= 20_000


def test_metadata_that_is_packed_to_fill_memory_is_refused(bare: Stock, tmp_path: Path) -> None:
    def pad(raw: RawArchive) -> None:
        entry = raw["demo-1.0.dist-info/METADATA"]
        entry.payload = b"\0\0\0\xff\xff" * (1 << 20) + entry.compressed()  # empty stored blocks (RFC 1951, 3.2.4)

    error = refused(bare, make_wheel(tmp_path, archive=pad))
    assert (error.entry, error.rule) == ("demo-1.0.dist-info/METADATA", Rule.DATA)


def test_a_file_of_many_empty_blocks_is_streamed(stock: Stock, tmp_path: Path) -> None:
    empty = b"\0\0\0\xff\xff" * 5000

    def pad(raw: RawArchive) -> None:
        raw["a"].payload = empty + raw["a"].compressed()
        raw["none"].payload = empty + raw["none"].compressed()

    row = stock.add(make_wheel(tmp_path, files={"a": BODY, "none": b""}, archive=pad))
    assert stock.read(files_of(row)["a"].key) == BODY
    assert not stock.path(files_of(row)["none"].key).exists()


@SIZES
def test_the_same_content_is_stored_once(stock: Stock, tmp_path: Path, body: bytes) -> None:
    first = files_of(stock.add(make_wheel(tmp_path, "one", files={"one/a": body, "one/b": body})))
    once = stock.names()
    assert len({first["one/a"].key, first["one/b"].key}) == 1
    second = files_of(stock.add(make_wheel(tmp_path, "two", files={"two/a": body})))
    assert second["two/a"].key == first["one/a"].key
    assert len(set(stock.names()) - set(once)) == 2  # METADATA and RECORD; WHEEL is the same
    assert stock.read(first["one/a"].key) == body


@SIZES
def test_an_executable_file_is_another_blob(stock: Stock, tmp_path: Path, body: bytes) -> None:
    found = files_of(stock.add(make_wheel(tmp_path, files={"a": body, "b": body}, executable=["b"])))
    assert found["b"].key == found["a"].key + b"x"
    assert stock.path(found["a"].key).stat().st_mode & 0o777 == 0o444
    assert stock.path(found["b"].key).stat().st_mode & 0o777 == 0o555
    assert stock.read(found["b"].key) == body


def test_an_empty_file_has_no_blob(stock: Stock, tmp_path: Path) -> None:
    row = stock.add(make_wheel(tmp_path, files={"empty.py": b"", "run": b""}, executable=["run"]))
    found = files_of(row)
    assert found["empty.py"].size == 0
    assert found["run"].key == found["empty.py"].key + b"x"
    assert not stock.path(found["empty.py"].key).exists()
    assert found["empty.py"].key not in {key for key, _ in blobs_of(row)}


def test_scripts_are_executable_whatever_their_mode(stock: Stock, tmp_path: Path) -> None:
    def plain(raw: RawArchive) -> None:
        for entry in raw.entries:
            entry.mode = FILE

    wheel = make_wheel(
        tmp_path, scripts={"tool": b"#!/bin/sh\n"}, data={"data/bin/other": b"#!/bin/sh\n\n"}, archive=plain
    )
    found = files_of(stock.add(wheel))
    assert found["demo-1.0.data/scripts/tool"].key.endswith(b"x")
    assert len(found["demo-1.0.data/data/bin/other"].key) == 32


@SIZES
def test_a_blob_has_the_time_of_its_content_and_is_read_only(stock: Stock, tmp_path: Path, body: bytes) -> None:
    row = stock.add(make_wheel(tmp_path, files={"a": body}))
    assert {blob_key(name) for name in stock.names()} == {key for key, _ in blobs_of(row)}
    for key, size in blobs_of(row):
        status = stock.path(key).stat()
        assert (status.st_mtime_ns, status.st_mode & 0o777, status.st_size) == (blob_mtime(key) * 10**9, 0o444, size)


@SIZES
def test_a_blob_that_is_there_is_not_written_again(stock: Stock, tmp_path: Path, body: bytes) -> None:
    wheel = make_wheel(tmp_path, files={"a": body})
    key = files_of(stock.add(wheel))["a"].key
    before = stock.path(key).stat()
    operation, file, _ = stock.stage(wheel)
    assert os.listdir(f"{operation}/{file.sha256}") == []
    publish(stock.store.blobs, operation, file)
    assert stock.path(key).stat().st_ino == before.st_ino


@SIZES
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_damaged_blob_is_replaced(stock: Stock, tmp_path: Path, body: bytes, damage: str) -> None:
    wheel = make_wheel(tmp_path, files={"a": body})
    key = files_of(stock.add(wheel))["a"].key
    path = stock.path(key)
    os.link(path, tmp_path / "linked")
    path.chmod(0o644)
    if damage == "cut":
        path.write_bytes(body[:-1])
        os.utime(path, (0, blob_mtime(key)))
    elif damage == "changed":
        path.write_bytes(body[:-1] + b"?")
    else:
        path.unlink()
    spoiled = (tmp_path / "linked").read_bytes()
    stock.add(wheel)
    assert path.read_bytes() == body
    assert path.stat().st_mode & 0o777 == 0o444
    assert (tmp_path / "linked").read_bytes() == spoiled, "the blob was written in place"


def test_two_operations_may_bring_the_same_blob(stock: Stock, tmp_path: Path) -> None:
    first, second = (stock.stage(make_wheel(tmp_path, name, files={f"{name}/a": BODY})) for name in ("one", "two"))
    publish(stock.store.blobs, *first[:2])
    publish(stock.store.blobs, *second[:2])
    assert files_of(first[2])["one/a"].key == files_of(second[2])["two/a"].key
    assert stock.read(files_of(second[2])["two/a"].key) == BODY


def test_a_row_says_what_the_wheel_is(stock: Stock, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "Demo.Thing", "1.0.0", root_is_purelib=False, files={"a.so": b"\x7fELF"})
    row = stock.add(wheel)
    assert (row.filename, row.name, row.version, row.purelib) == (wheel.name, "demo-thing", "1.0.0", False)
    assert row.size == wheel.stat().st_size


def test_nothing_is_visible_before_it_is_published(stock: Stock, tmp_path: Path) -> None:
    operation, file, row = stock.stage(make_wheel(tmp_path))
    assert stock.names() == []
    publish(stock.store.blobs, operation, file)
    assert {blob_key(name) for name in stock.names()} == {key for key, _ in blobs_of(row)}


def generate(stock: Stock, *contents: bytes) -> tuple[list[bytes], bytes]:
    """What an operation does with files that it makes: their keys, and their list."""
    generated = Generated(stock.store, f"{stock.store.tmp}/op-test")
    keys = [generated.put(content) for content in contents]
    generated.stage()
    return keys, generated.publish()


def test_small_files_are_put_once(stock: Stock) -> None:
    (key, _), listed = generate(stock, BODY, b"")
    inode = stock.path(key).stat().st_ino
    assert [(file.key, file.size) for file in unpack(listed)] == [(key, len(BODY))]
    assert generate(stock, BODY) == ([key], listed)
    assert (stock.path(key).stat().st_ino, stock.read(key)) == (inode, BODY)
    assert stock.path(key).stat().st_mtime == blob_mtime(key)
    assert len(stock.names()) == 1
    assert os.listdir(f"{stock.store.tmp}/op-test") == []


def test_what_others_published_meanwhile_is_not_replaced(stock: Stock, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, files={"demo.py": BODY})
    staged = [stock.stage(wheel) for _ in range(2)]
    generated = [Generated(stock.store, f"{stock.store.tmp}/op-{number}") for number in range(2)]
    for one in generated:
        one.put(b"generated")
        one.stage()
    inodes = []
    for (operation, file, _), one in zip(staged, generated, strict=True):
        publish(stock.store.blobs, operation, file)
        one.publish()
        inodes.append([os.stat(f"{stock.store.blobs}/{name}").st_ino for name in stock.names()])
    assert inodes[0] == inodes[1]


def test_a_small_file_that_was_collected_before_it_is_published_is_written_again(stock: Stock) -> None:
    (key,), _ = generate(stock, BODY)
    generated = Generated(stock.store, f"{stock.store.tmp}/op-other")
    generated.put(BODY)
    generated.stage()
    stock.path(key).unlink()
    generated.publish()
    assert stock.read(key) == BODY


def test_what_a_wheel_relied_on_is_looked_at_again(stock: Stock, tmp_path: Path) -> None:
    row = stock.add(make_wheel(tmp_path, files={"demo.py": BODY}))
    names = {file.key.hex() for file in unpack(row.files)}
    with open_index(stock.store.index_path) as index, index.writing():
        assert not lacking(index, stock.store.blobs, row, set())  # without rows, but there
        stock.path(unpack(row.files)[-1].key).unlink()
        assert lacking(index, stock.store.blobs, row, set())
        assert not lacking(index, stock.store.blobs, row, names)
        index.add_wheels([(row, blobs_of(row))], now=1.0)
        assert not lacking(index, stock.store.blobs, row, set())


PART = st.text(st.sampled_from("abcXYZ019_-é"), min_size=1, max_size=6)
CONTENT = st.one_of(st.binary(max_size=40), st.sampled_from([b"", BODY, BODY * 1000]))
MEMBERS = st.lists(
    st.tuples(PART, CONTENT, st.booleans(), st.sampled_from([STORED, DEFLATED])),
    max_size=8,
    unique_by=lambda member: member[0].lower(),
)


@given(MEMBERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_wheel_s_files_are_what_zipfile_reads(tmp_path: Path, members: list[tuple[str, bytes, bool, int]]) -> None:
    stock = make_stock(tmp_path / "store")

    def as_drawn(raw: RawArchive) -> None:
        for name, _, executable, method in members:
            raw[f"demo/{name}"].method = method
            raw[f"demo/{name}"].mode = EXECUTABLE if executable else FILE

    wheel = make_wheel(tmp_path, files={f"demo/{name}": body for name, body, *_ in members}, archive=as_drawn)
    found = files_of(stock.add(wheel))
    with zipfile.ZipFile(wheel) as archive:
        assert sorted(found) == sorted(archive.namelist())
        for info in archive.infolist():
            file = found[info.filename]
            assert (stock.read(file.key) if file.size else b"") == archive.read(info)
            assert file.key.endswith(b"x") == bool(info.external_attr >> 16 & 0o111) or len(file.key) == 32
            assert (len(file.key) == 33) == bool(info.external_attr >> 16 & 0o111)
