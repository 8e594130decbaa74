import contextlib
import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.archives import DEFLATED, DIRECTORY, EXECUTABLE, STORED, UTF8, Fields, RawArchive

from wheelstore.store.archive import Entry, Limits, read_archive, read_entry
from wheelstore.store.names import fold
from wheelstore.store.refusal import BadWheel, Rule


def entries_of(data: bytes, limits: Limits | None = None) -> list[Entry]:
    return read_archive(io.BytesIO(data), limits=limits or Limits())


def content_of(data: bytes) -> dict[str, bytes]:
    return {entry.name: read_entry(io.BytesIO(data), entry) for entry in entries_of(data)}


def rule_of(data: bytes, limits: Limits | None = None) -> Rule:
    with pytest.raises(BadWheel) as refused:
        entries_of(data, limits)
    return refused.value.rule


class Pipe(io.BytesIO):
    """What zipfile writes to with data descriptors."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError


def every_feature(*, zip64: bool) -> bytes:
    raw = RawArchive(zip64=zip64, comment=b"made by hand")
    raw.add("a/plain.py", b"x = 1\n" * 9)
    raw.add("a/sub/", mode=DIRECTORY, method=STORED)
    raw.add("a/sub/stored.txt", b"stored", method=STORED, mode=EXECUTABLE)
    raw.add("a/streamed.py", b"y = 2\n" * 9, descriptor="signed")
    raw.add("a/unsigned.py", b"z = 3\n" * 9, descriptor="unsigned")
    raw.add("a/large.py", b"z = 4\n" * 9, zip64=True)
    raw.add("a/large-streamed.py", b"z = 5\n" * 9, zip64=True, descriptor="signed")
    raw.add("a/large-unsigned.py", b"z = 6\n" * 9, zip64=True, descriptor="unsigned")
    raw.add("a/\xe9t\xe9.py", b"z = 7\n" * 9, central=Fields(comment=b"entry comment"))
    return raw.to_bytes()


CONTENT = {
    "a/plain.py": b"x = 1\n" * 9,
    "a/sub/stored.txt": b"stored",
    "a/streamed.py": b"y = 2\n" * 9,
    "a/unsigned.py": b"z = 3\n" * 9,
    "a/large.py": b"z = 4\n" * 9,
    "a/large-streamed.py": b"z = 5\n" * 9,
    "a/large-unsigned.py": b"z = 6\n" * 9,
    "a/\xe9t\xe9.py": b"z = 7\n" * 9,
}


@pytest.mark.parametrize("zip64", [False, True])
def test_every_legal_feature_is_read(zip64: bool) -> None:
    assert content_of(every_feature(zip64=zip64)) == CONTENT


def test_directories_are_dropped_and_the_central_order_is_kept() -> None:
    names = [entry.name for entry in entries_of(every_feature(zip64=False))]
    assert names == list(CONTENT)


def test_an_archive_without_entries_is_read() -> None:
    assert entries_of(RawArchive().to_bytes()) == []


def test_the_central_directory_may_have_another_order_than_the_file() -> None:
    raw = RawArchive()
    for name in "abc":
        raw.add(name, name.encode() * 50)
    headers = [raw.entries[index] for index in (2, 0, 1)]
    data = raw.to_bytes()
    start = data.index(b"PK\1\2")
    size = 46 + 1
    central = [data[start + size * index : start + size * (index + 1)] for index in (2, 0, 1)]
    reordered = data[:start] + b"".join(central) + data[start + 3 * size :]
    assert list(content_of(reordered)) == [entry.name for entry in headers]
    assert content_of(reordered)["b"] == b"b" * 50


@pytest.mark.parametrize(
    ("mode", "executable"),
    [(0o100755, True), (0o100644, False), (0o100010, True), (0o755, True), (0o644, False), (0, False)],
)
def test_any_executable_bit_counts_also_without_a_file_type(mode: int, executable: bool) -> None:
    raw = RawArchive()
    raw.add("script", b"", mode=mode)
    assert [entry.executable for entry in entries_of(raw.to_bytes())] == [executable]


def test_a_name_without_the_utf8_flag_is_utf8_all_the_same() -> None:
    raw = RawArchive()
    raw.add("\xe9t\xe9.py".encode(), b"")
    assert not raw.entries[0].true_fields(b"", 0)["flags"] & UTF8
    assert [entry.name for entry in entries_of(raw.to_bytes())] == ["\xe9t\xe9.py"]


def test_harmless_extra_fields_may_differ_between_the_headers() -> None:
    raw = RawArchive()
    raw.add("a", b"1", local=Fields(extra=b"UT\x09\0" + bytes(9)), central=Fields(extra=b"UT\5\0" + bytes(5)))
    raw.add("b", b"2", local=Fields(extra=bytes(3)))
    raw.add("c", b"3", central=Fields(extra=b"up\6\0" + b"\1\0\0\0\0" + b"c"))
    assert content_of(raw.to_bytes()) == {"a": b"1", "b": b"2", "c": b"3"}


def test_zip64_numbers_may_be_given_where_they_are_not_needed() -> None:
    raw = RawArchive()
    both = struct.pack("<2H2Q", 1, 16, 9, 9)
    raw.add("a", b"x" * 9, method=STORED, local=Fields(extra=both), central=Fields(extra=both))
    raw.add("b", b"x" * 9, method=STORED, local=Fields(extra=both, size=0xFFFFFFFF))
    assert content_of(raw.to_bytes()) == {"a": b"x" * 9, "b": b"x" * 9}


def test_sizes_before_a_descriptor_may_be_given() -> None:
    raw = RawArchive()
    true = Fields(size=9, compressed_size=9, crc=zlib.crc32(b"x" * 9))
    raw.add("a", b"x" * 9, method=STORED, descriptor="signed", local=true)
    assert content_of(raw.to_bytes()) == {"a": b"x" * 9}


def test_limits_are_configurable() -> None:
    raw = RawArchive()
    raw.add("a", bytes(5000))
    raw.add("b", bytes(5000))
    data = raw.to_bytes()
    assert len(entries_of(data, Limits(entries=2, total=10000, ratio=100, ratio_from=1000))) == 2
    assert rule_of(data, Limits(entries=1)) is Rule.TOO_MANY_ENTRIES
    assert rule_of(data, Limits(total=9999)) is Rule.TOO_LARGE
    assert rule_of(data, Limits(ratio=50, ratio_from=1000)) is Rule.RATIO
    assert len(entries_of(data, Limits(ratio=50))) == 2


def test_an_outsized_central_directory_is_not_read_into_memory() -> None:
    raw = RawArchive()
    raw.add("a", b"", central=Fields(comment=bytes(60000)))
    assert rule_of(raw.to_bytes(), Limits(entries=100)) is Rule.TOO_MANY_ENTRIES


def test_sizes_and_offsets_beyond_32_bits_are_read(tmp_path: Path) -> None:
    size = (4 << 30) + 7
    long_sizes = Fields(
        extra=struct.pack("<2H2Q", 1, 16, size, size), size=0xFFFFFFFF, compressed_size=0xFFFFFFFF, crc=0
    )
    raw = RawArchive(zip64=True)
    raw.add("zeros", b"", method=STORED, local=long_sizes, central=long_sizes)
    hole = 30 + len("zeros") + 20
    raw.add(
        "last",
        b"end",
        method=STORED,
        central=Fields(extra=struct.pack("<2HQ", 1, 8, hole + size), offset=0xFFFFFFFF),
    )
    short = raw.to_bytes()
    raw.end64 = {"offset": short.index(b"PK\1\2") + size, "place": short.index(b"PK\6\6") + size}
    data = raw.to_bytes()
    path = tmp_path / "large.zip"
    with path.open("xb") as file:
        file.write(data[:hole])
        file.seek(size, 1)
        file.write(data[hole:])
    with path.open("rb") as file:
        zeros, last = read_archive(file)
        assert (zeros.size, zeros.compressed_size, zeros.offset) == (size, size, hole)
        assert read_entry(file, last) == b"end"


names = st.lists(
    st.text("abcXYZ019_-+. \xe9\xdf\u4e2d", min_size=1, max_size=9).filter(lambda part: part.strip(". ")),
    min_size=1,
    max_size=4,
).map(lambda parts: "/".join(parts) + ".f")


@given(
    st.dictionaries(names, st.tuples(st.binary(max_size=90), st.sampled_from([STORED, DEFLATED]), st.booleans())),
    st.booleans(),
    st.booleans(),
)
def test_whatever_zipfile_writes_is_read_as_zipfile_reads_it(
    files: dict[str, tuple[bytes, int, bool]], streamed: bool, zip64: bool
) -> None:
    assume(len({fold(name) for name in files}) == len(files))
    assume(not any(other.startswith(f"{fold(name)}/") for name in files for other in map(fold, files)))
    target = Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, (content, method, executable) in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            with archive.open(info, "w", force_zip64=zip64) as entry:
                entry.write(content)
    data = target.getvalue()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        expected = [
            (info.filename, info.file_size, info.compress_size, info.CRC, info.compress_type)
            for info in archive.infolist()
        ]
    entries = entries_of(data)
    assert [entry[:5] for entry in entries] == expected
    assert [entry.executable for entry in entries] == [executable for _, _, executable in files.values()]
    assert content_of(data) == {name: content for name, (content, _, _) in files.items()}


FIELDS = st.binary(min_size=1, max_size=8) | st.sampled_from(
    [byte * size for byte in (b"\0", b"\xff", b"\x7f", b"\x80") for size in (1, 2, 4, 8)]
)


def header_positions(data: bytes) -> set[int]:
    """Every byte of an archive that is not in an entry's data."""
    inside = (range(entry.offset, entry.offset + entry.compressed_size) for entry in entries_of(data))
    return set(range(len(data))).difference(*inside)


@pytest.mark.parametrize("zip64", [False, True])
def test_no_changed_byte_outside_the_data_changes_what_is_read(zip64: bool) -> None:
    data = every_feature(zip64=zip64)
    sound = [entry[:6] for entry in entries_of(data)]
    accepted = 0
    for position in header_positions(data):
        for change in (0x01, 0x02, 0x08, 0x10, 0x40, 0x80, 0xFF, data[position]):
            if not change:
                continue
            mutated = bytearray(data)
            mutated[position] ^= change
            try:
                entries = entries_of(bytes(mutated))
            except BadWheel:
                continue
            accepted += 1
            assert [entry[:6] for entry in entries] == sound, (position, change)
    # Times, versions, comments and permissions may be anything.
    assert accepted


@given(st.data(), st.booleans())
def test_no_inserted_or_removed_bytes_are_overlooked(data: st.DataObject, zip64: bool) -> None:
    archive = every_feature(zip64=zip64)
    position = data.draw(st.integers(0, len(archive)))
    removed = data.draw(st.integers(0, 40))
    inserted = data.draw(st.binary(max_size=40))
    mutated = archive[:position] + inserted + archive[position + removed :]
    assume(len(mutated) != len(archive))
    with pytest.raises(BadWheel):
        entries_of(mutated)


@given(st.lists(st.tuples(st.integers(0, 2000), FIELDS), max_size=4), st.booleans())
def test_overwritten_fields_are_refused_or_do_no_harm(changes: list[tuple[int, bytes]], zip64: bool) -> None:
    archive = bytearray(every_feature(zip64=zip64))
    size = len(archive)
    for position, field in changes:
        archive[position % size : position % size + len(field)] = field
    with contextlib.suppress(BadWheel):
        assert all(0 < entry.offset <= size - entry.compressed_size for entry in entries_of(bytes(archive[:size])))


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(BadWheel):
        entries_of(noise)


@given(st.data())
def test_damaged_data_is_refused_when_it_is_read(data: st.DataObject) -> None:
    archive = bytearray(every_feature(zip64=False))
    entry = data.draw(st.sampled_from(entries_of(bytes(archive))))
    position = data.draw(st.integers(entry.offset, entry.offset + entry.compressed_size - 1))
    archive[position] ^= data.draw(st.integers(1, 255))
    # Deflate has several ways to write the same content.
    with contextlib.suppress(BadWheel):
        assert read_entry(io.BytesIO(archive), entry) == CONTENT[entry.name]
