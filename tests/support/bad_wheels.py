"""One wheel, broken in every way that the store refuses: for tests of the checks, of ingest and of commands."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.archives import BZIP2, DIRECTORY, FIFO, FILE, LZMA, STORED, SYMLINK, Fields, RawArchive
from support.wheels import Tweak, make_wheel, record_hash
from wheelstore.store.refusal import Rule

_BODY = b"x = 1\n" * 50
_DEFLATED = RawArchive().add("", _BODY).compressed()
_CODE = "demo/__init__.py"


@dataclass(frozen=True, slots=True)
class BadCase:
    """How to make one bad wheel: `make_wheel`'s arguments, then perhaps a change of the finished file."""

    rule: Rule
    arguments: Mapping[str, Any] = field(default_factory=dict)
    rewrite: Callable[[bytes], bytes] | None = None


def make_bad_wheel(directory: Path, case: BadCase) -> Path:
    """Write the wheel of `case` into `directory` and return its path."""
    wheel = make_wheel(directory, **{"files": {_CODE: _BODY}, **case.arguments})
    if case.rewrite is not None:
        wheel.write_bytes(case.rewrite(wheel.read_bytes()))
    return wheel


def _zip(rule: Rule, change: Callable[[RawArchive], object]) -> BadCase:
    return BadCase(rule, {"archive": change})


def _archive(rule: Rule, **fields: object) -> BadCase:
    """The archive as a whole differs."""

    def change(raw: RawArchive) -> None:
        for name, value in fields.items():
            setattr(raw, name, value)

    return _zip(rule, change)


def _entry(rule: Rule, **fields: object) -> BadCase:
    """The package's only file differs."""

    def change(raw: RawArchive) -> None:
        for name, value in fields.items():
            setattr(raw[_CODE], name, value)

    return _zip(rule, change)


def _both(rule: Rule, **fields: int) -> BadCase:
    """The two headers of the package's only file agree on something wrong."""
    return _entry(rule, local=fields, central=fields)


def _unended(body: bytes) -> bytes:
    """All of `body`, deflated, but not the end of the stream."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(body) + deflate.flush(zlib.Z_SYNC_FLUSH)


def _sized(size: int) -> BadCase:
    """The headers agree on a wrong size, and RECORD is silent about it."""
    case = _both(Rule.SIZE, size=size)
    unsized: Tweak = lambda text: text.replace(f",{len(_BODY)}\n", ",\n")  # noqa: E731
    return BadCase(case.rule, {**case.arguments, "record": unsized})


def _added(rule: Rule, *names: str | bytes, **fields: object) -> BadCase:
    """There are more entries, with these names."""

    def change(raw: RawArchive) -> None:
        for name in names:
            raw.add(name, b"y = 2\n", **fields)

    return _zip(rule, change)


def _same_place(raw: RawArchive) -> None:
    raw.add("demo/again.py", _BODY, in_local=False, central=Fields(offset=0))


def _at_the_directory(raw: RawArchive) -> None:
    raw.add("demo/nowhere.py", _BODY, in_local=False)


def _beyond_every_file(raw: RawArchive) -> None:
    """What a seek to the second entry would raise an OverflowError for."""
    huge = 1 << 63
    long = Fields(extra=struct.pack("<2H2Q", 1, 16, 1, huge), size=0xFFFFFFFF, compressed_size=0xFFFFFFFF)
    raw.entries.clear()
    raw.add("a", b"x", local=long, central=long)
    place = struct.pack("<2HQ", 1, 8, huge + 51)
    raw.add("b", b"x", central=Fields(extra=place, offset=0xFFFFFFFF))


def _lying_sizes(raw: RawArchive) -> None:
    for index in range(5):
        lie = Fields(size=0xFFFF_FFF0)
        raw.add(f"demo/{index}.bin", b"", local=lie, central=lie)


ARCHIVES: dict[str, BadCase] = {
    "empty file": BadCase(Rule.NOT_AN_ARCHIVE, rewrite=lambda _: b""),
    "no archive": BadCase(Rule.NOT_AN_ARCHIVE, rewrite=lambda _: b"<html>Not found</html>" * 9),
    "cut in the end record": BadCase(Rule.NOT_AN_ARCHIVE, rewrite=lambda data: data[:-5]),
    "cut in the middle": BadCase(Rule.NOT_AN_ARCHIVE, rewrite=lambda data: data[: len(data) // 2]),
    "cut in the comment": BadCase(
        Rule.NOT_AN_ARCHIVE, _archive(Rule.NOT_AN_ARCHIVE, comment=b"hi").arguments, lambda data: data[:-2]
    ),
    "trailing bytes": _archive(Rule.TRAILING_BYTES, suffix=b"tail"),
    "trailing zero bytes": _archive(Rule.TRAILING_BYTES, suffix=bytes(40)),
    "end record in the comment": _archive(Rule.DIRECTORY_END, comment=b"PK\x05\x06" + bytes(18)),
    "end signature in the comment": _archive(Rule.NOT_AN_ARCHIVE, comment=b"see PK\x05\x06"),
    "concatenated": BadCase(Rule.DIRECTORY_END, rewrite=lambda data: data + data),
    "prefixed": BadCase(Rule.DIRECTORY_END, rewrite=lambda data: b"#!/bin/sh\n" + data),
    "prefixed with true offsets": _archive(Rule.PREFIXED, prefix=b"#!/bin/sh\n"),
    "bytes before the end record": _archive(Rule.DIRECTORY_END, before_end=b"??"),
    "several disks": _archive(Rule.SPANNED, end={"disk": 1}),
    "central directory on another disk": _archive(Rule.SPANNED, end={"central_disk": 1}),
    "entries on other disks": _archive(Rule.SPANNED, end={"entries_here": 1}),
    "entry on another disk": _entry(Rule.SPANNED, central={"disk": 1}),
    "count too high": _archive(Rule.DIRECTORY, end={"entries_here": 5, "entries": 5}),
    "count too low": _archive(Rule.DIRECTORY, end={"entries_here": 3, "entries": 3}),
    "central signature": BadCase(Rule.DIRECTORY, rewrite=lambda data: data.replace(b"PK\1\2", b"PK\1\0", 1)),
    "zip64 end contradicts": _archive(Rule.ZIP64, zip64=True, end={"entries": 2}),
    "zip64 end elsewhere": _archive(Rule.DIRECTORY_END, zip64=True, end64={"offset": 1}),
    "zip64 end at another place": _archive(Rule.ZIP64, zip64=True, end64={"place": 3}),
    "zip64 end on another disk": _archive(Rule.ZIP64, zip64=True, end64={"place_disk": 1}),
    "zip64 end of several disks": _archive(Rule.ZIP64, zip64=True, end64={"disks": 2}),
    "zip64 end of another size": _archive(Rule.ZIP64, zip64=True, end64={"record_size": 45}),
    "zip64 end missing": BadCase(
        Rule.ZIP64, _archive(Rule.ZIP64, zip64=True).arguments, lambda data: data.replace(b"PK\6\6", b"PK\6\5")
    ),
    "only a zip64 locator": BadCase(Rule.ZIP64, rewrite=lambda _: b"PK\6\7" + bytes(16) + b"PK\5\6" + bytes(18)),
    "zip64 missing": _both(Rule.ZIP64, size=0xFFFFFFFF),
    "zip64 missing for the compressed size": _both(Rule.ZIP64, compressed_size=0xFFFFFFFF),
    "zip64 missing for the offset": _entry(Rule.ZIP64, central={"offset": 0xFFFFFFFF}),
    "zip64 with too few numbers": _entry(
        Rule.ZIP64, central={"extra": struct.pack("<2HQ", 1, 8, 0), "offset": 0xFFFFFFFF, "size": 0xFFFFFFFF}
    ),
    "zip64 with too many numbers": _entry(
        Rule.ZIP64, central={"extra": struct.pack("<2H4Q", 1, 32, len(_BODY), len(_DEFLATED), 0, 0)}
    ),
    "zip64 contradicts": _entry(Rule.ZIP64, central={"extra": b"\1\0\x10\0" + bytes(16)}),
    "zip64 twice": _entry(Rule.ZIP64, central={"extra": b"\1\0\0\0" * 2}),
    "extra field cut": _entry(Rule.EXTRA, central={"extra": b"\x55\x54\xff\0"}),
    "extra field's rest": _entry(Rule.EXTRA, local={"extra": b"\x55\x54\0\0abc"}),
    "too many entries": _archive(Rule.TOO_MANY_ENTRIES, zip64=True, end64={"entries": 10**6, "entries_here": 10**6}),
    "too large": _zip(Rule.TOO_LARGE, _lying_sizes),
    "bomb": BadCase(Rule.RATIO, {"files": {_CODE: bytes(80 << 20)}}),
    "encrypted": _entry(Rule.ENCRYPTED, flags=0x1),
    "strongly encrypted": _entry(Rule.ENCRYPTED, flags=0x40),
    "masked headers": _entry(Rule.ENCRYPTED, flags=0x2000),
    "patched data": _entry(Rule.FLAGS, flags=0x20),
    "bzip2": _entry(Rule.METHOD, method=BZIP2),
    "lzma": _entry(Rule.METHOD, method=LZMA),
    "deflate64": _entry(Rule.METHOD, method=STORED, local={"method": 9}, central={"method": 9}),
    "stored with two sizes": _both(Rule.STORED_SIZE, method=STORED),
    "symbolic link": _entry(Rule.SYMLINK, mode=SYMLINK, data=b"/etc/passwd"),
    "pipe": _entry(Rule.SPECIAL_FILE, mode=FIFO),
    "device": _entry(Rule.SPECIAL_FILE, mode=0o20666),
    "socket": _entry(Rule.SPECIAL_FILE, mode=0o140666),
    "directory without slash": _added(Rule.DIRECTORY_TYPE, "demo/sub", mode=DIRECTORY),
    "file with slash": _added(Rule.DIRECTORY_TYPE, "demo/sub/", mode=FILE),
    "directory with content": _added(Rule.DIRECTORY_DATA, "demo/sub/", mode=DIRECTORY),
    "local signature": BadCase(Rule.LOCAL_MISSING, rewrite=lambda data: b"PK\3\0" + data[4:]),
    "only in the central directory": _entry(Rule.OVERLAP, in_local=False),
    "only local": _entry(Rule.LOCAL_ONLY, in_central=False),
    "last only local": _added(Rule.LOCAL_ONLY, "demo/hidden.py", in_central=False),
    "local name": _entry(Rule.LOCAL_NAME, local={"name": b"demo/__evil__.py"}),
    "local method": _entry(Rule.LOCAL_METHOD, local={"method": STORED}),
    "local flags": _entry(Rule.LOCAL_FLAGS, local={"flags": 0x800}),
    "local CRC": _entry(Rule.LOCAL_CRC, local={"crc": 1}),
    "local CRC left out": _entry(Rule.LOCAL_CRC, local={"crc": 0}),
    "local size": _entry(Rule.LOCAL_SIZE, local={"size": 1}),
    "local compressed size": _entry(Rule.LOCAL_SIZE, local={"compressed_size": 1}),
    "local size before a descriptor": _entry(Rule.LOCAL_SIZE, descriptor="signed", local={"size": 1}),
    "descriptor CRC": _entry(Rule.DESCRIPTOR, descriptor="signed", descriptor_fields={"crc": 1}),
    "descriptor size": _entry(Rule.DESCRIPTOR, descriptor="unsigned", descriptor_fields={"size": 1}),
    "long descriptor size": _entry(Rule.DESCRIPTOR, descriptor="signed", zip64=True, descriptor_fields={"size": 1}),
    "descriptor signature": BadCase(
        Rule.DESCRIPTOR,
        _entry(Rule.DESCRIPTOR, descriptor="signed").arguments,
        lambda data: data.replace(b"PK\7\x08", b"PK\7\x09"),
    ),
    "descriptor missing": _entry(Rule.DESCRIPTOR, flags=8),
    "two names for one place": _zip(Rule.OVERLAP, _same_place),
    "overlap": _both(Rule.OVERLAP, compressed_size=300),
    "beyond every file": _zip(Rule.OVERLAP, _beyond_every_file),
    "local header in the central directory": _zip(Rule.LOCAL_MISSING, _at_the_directory),
    "gap": _zip(Rule.GAP, lambda raw: setattr(raw.entries[1], "gap", b"secret")),
    "gap before the central directory": _archive(Rule.GAP, before_central=b"secret"),
    "damaged data": _entry(Rule.DATA, payload=b"\xff" * 20),
    "data without an end": _entry(Rule.DATA, payload=_unended(_BODY)),
    "data after the end of the stream": _entry(Rule.DATA, payload=_DEFLATED + b"more"),
    "content longer than stated": _sized(len(_BODY) - 1),
    "content much longer than stated": BadCase(Rule.DATA, _sized(7).arguments),
    "content shorter than stated": _sized(len(_BODY) + 1),
    "content with another CRC": _both(Rule.CRC, crc=1),
}
"""What is wrong with the zip file, whatever is in it."""

NAMES: dict[str, BadCase] = {
    "empty name": _added(Rule.NAME_EMPTY, ""),
    "empty part": _added(Rule.NAME_EMPTY, "demo//a.py"),
    "only a slash": _added(Rule.NAME_ABSOLUTE, "/"),
    "not UTF-8": _added(Rule.NAME_ENCODING, b"demo/caf\xe9.py"),
    "not UTF-8 in spite of the flag": _added(Rule.NAME_ENCODING, b"demo/caf\xe9.py", flags=0x800),
    "overlong UTF-8": _added(Rule.NAME_ENCODING, b"demo/\xc0\xae\xc0\xae/a.py"),
    "second name": _entry(Rule.NAME_ALIAS, central={"extra": b"\x75\x70\x09\0\1\0\0\0\0evil"}),
    "NUL": _added(Rule.NAME_CONTROL, b"demo/a.py\0.txt"),
    "newline": _added(Rule.NAME_CONTROL, "demo/a\n.py"),
    "escape": _added(Rule.NAME_CONTROL, "demo/\x1b[2Ja.py"),
    "C1 control": _added(Rule.NAME_CONTROL, "demo/\x85.py"),
    "backslash": _added(Rule.NAME_BACKSLASH, "demo\\a.py"),
    "UNC": _added(Rule.NAME_BACKSLASH, "\\\\server\\share\\a.py"),
    "absolute": _added(Rule.NAME_ABSOLUTE, "/etc/passwd"),
    "drive": _added(Rule.NAME_DRIVE, "C:/a.py"),
    "relative to a drive": _added(Rule.NAME_DRIVE, "c:a.py"),
    "drive inside": _added(Rule.NAME_DRIVE, "demo-1.0.data/purelib/C:/a.py"),
    "parent": _added(Rule.NAME_TRAVERSAL, "../a.py"),
    "parent inside": _added(Rule.NAME_TRAVERSAL, "demo/../../a.py"),
    "parent at the end": _added(Rule.NAME_TRAVERSAL, "demo/.."),
    "dot": _added(Rule.NAME_TRAVERSAL, "./a.py"),
    "dot inside": _added(Rule.NAME_TRAVERSAL, "demo/./a.py"),
    "parent to Windows": _added(Rule.NAME_TRAVERSAL, "demo/.. /a.py"),
    "long part": _added(Rule.NAME_LENGTH, "demo/" + "a" * 256),
    "long part in bytes": _added(Rule.NAME_LENGTH, "demo/" + "é" * 128),
    "long name": _added(Rule.NAME_LENGTH, "abcdefg/" * 512 + "a"),
    "twice": _added(Rule.DUPLICATE, _CODE),
    "directory twice": _added(Rule.DUPLICATE, "demo/s/", "demo/s/", mode=DIRECTORY),
    "other case": _added(Rule.DUPLICATE_CASE, "Demo/__init__.py"),
    "other case beyond ASCII": _added(Rule.DUPLICATE_CASE, "demo/STRASSE.py", "demo/straße.py"),
    "other normalization": _added(Rule.DUPLICATE_UNICODE, "demo/caf\xe9.py", "demo/cafe\u0301.py"),
    "file as directory": _added(Rule.FILE_AS_DIRECTORY, f"{_CODE}/a.py"),
    "file as distant directory": _added(Rule.FILE_AS_DIRECTORY, f"{_CODE}/b/c/a.py"),
    "file as directory entry": _added(Rule.FILE_AS_DIRECTORY, f"{_CODE}/", mode=DIRECTORY),
    "file as directory in other case": _added(Rule.FILE_AS_DIRECTORY, f"{_CODE.upper()}/a.py"),
}
"""What is wrong with the names of entries."""


def _without(suffix: str) -> BadCase:
    def change(raw: RawArchive) -> None:
        raw.entries[:] = [entry for entry in raw.entries if not str(entry.name).endswith(suffix)]

    return _zip(Rule.MISSING_FILE, change)


def _record(rule: Rule, old: str, new: str) -> BadCase:
    """RECORD has `new` where it had `old`, which is an f-string of the file's line's parts."""
    parts = {"hash": record_hash(_BODY), "size": str(len(_BODY)), "name": _CODE}
    return BadCase(rule, {"record": lambda text: text.replace(old.format(**parts), new.format(**parts), 1)})


def _script(rule: Rule, name: str, reference: str = "demo:main") -> BadCase:
    return BadCase(rule, {"entry_points": {"console_scripts": {name: reference}}})


def _own_script(rule: Rule, name: str) -> BadCase:
    return BadCase(rule, {"scripts": {name: b"#!python\n"}})


def _data(rule: Rule, path: str) -> BadCase:
    return BadCase(rule, {"data": {path: b"data"}})


def _metadata(rule: Rule, old: str, new: str) -> BadCase:
    return BadCase(rule, {"metadata": lambda text: text.replace(old, new)})


def _wheel(rule: Rule, old: str, new: str) -> BadCase:
    return BadCase(rule, {"wheel_metadata": lambda text: text.replace(old, new)})


CONTENTS: dict[str, BadCase] = {
    "file name without tags": BadCase(Rule.FILENAME, {"filename": "demo-1.0.whl"}),
    "file name with a bad version": BadCase(Rule.FILENAME, {"filename": "demo-one-py3-none-any.whl"}),
    "no .dist-info": BadCase(Rule.DIST_INFO, {"dist_info": "demo-1.0.egg-info"}),
    "two .dist-info": _added(Rule.DIST_INFO, "requests-99.dist-info/METADATA"),
    ".dist-info in capitals": BadCase(Rule.DIST_INFO, {"dist_info": "demo-1.0.DIST-INFO"}),
    ".dist-info from purelib": _data(Rule.DIST_INFO, "purelib/requests-99.dist-info/METADATA"),
    ".dist-info from data": _data(Rule.DIST_INFO, "data/lib/python3.12/site-packages/a-1.dist-info/METADATA"),
    ".dist-info of another": BadCase(Rule.DIST_INFO_NAME, {"dist_info": "other-1.0.dist-info"}),
    ".dist-info of another version": BadCase(Rule.DIST_INFO_NAME, {"dist_info": "demo-1.1.dist-info"}),
    ".data of another": _added(Rule.DATA_NAME, "other-1.0.data/purelib/a.py"),
    "unknown .data key": _data(Rule.DATA_KEY, "stdlib/os.py"),
    ".data key in capitals": _data(Rule.DATA_KEY, "Scripts/a"),
    "file for a .data key": _data(Rule.DATA_KEY, "scripts"),
    "pyvenv.cfg": _data(Rule.DATA_TARGET, "data/pyvenv.cfg"),
    "pyvenv.cfg in capitals": _data(Rule.DATA_TARGET, "data/PyVenv.cfg"),
    "file for bin": _data(Rule.DATA_TARGET, "data/bin"),
    "interpreter from data": _data(Rule.SCRIPT_RESERVED, "data/bin/python"),
    "Windows interpreter from data": _data(Rule.SCRIPT_RESERVED, "data/Scripts/python.exe"),
    "no METADATA": _without("/METADATA"),
    "no WHEEL": _without("/WHEEL"),
    "no RECORD": _without("/RECORD"),
    "huge WHEEL": _wheel(Rule.OVERSIZED_FILE, "\n", "\n" * (1 << 20)),
    "METADATA without Name": _metadata(Rule.METADATA, "Name:", "X-Name:"),
    "METADATA with two names": _metadata(Rule.METADATA, "Name:", "Name: other\nName:"),
    "METADATA of another": _metadata(Rule.METADATA_NAME, "Name: demo", "Name: other"),
    "METADATA of another version": _metadata(Rule.METADATA_VERSION, "Version: 1.0", "Version: 1.0.post1"),
    "METADATA with a bad version": _metadata(Rule.METADATA_VERSION, "Version: 1.0", "Version: one"),
    "Wheel-Version 2": _wheel(Rule.WHEEL_VERSION, "Wheel-Version: 1.0", "Wheel-Version: 2.0"),
    "Wheel-Version 0": _wheel(Rule.WHEEL_VERSION, "Wheel-Version: 1.0", "Wheel-Version: 0.1"),
    "Wheel-Version odd": _wheel(Rule.WHEEL_VERSION, "Wheel-Version: 1.0", "Wheel-Version: 1"),
    "no Wheel-Version": _wheel(Rule.WHEEL_METADATA, "Wheel-Version: 1.0\n", ""),
    "no Root-Is-Purelib": _wheel(Rule.WHEEL_METADATA, "Root-Is-Purelib: true\n", ""),
    "odd Root-Is-Purelib": _wheel(Rule.WHEEL_METADATA, "true", "maybe"),
    "RECORD not UTF-8": BadCase(Rule.RECORD, {"record": b"caf\xe9,,\n"}),
    "RECORD not CSV": BadCase(Rule.RECORD, {"record": '"demo'}),
    "RECORD of two columns": _record(Rule.RECORD, ",{size}\n", "\n"),
    "file not in RECORD": _record(Rule.RECORD_UNLISTED, "{name},{hash},{size}\n", ""),
    "file only in RECORD": _record(Rule.RECORD_ABSENT, "{name}", "demo/more.py,{hash},\n{name}"),
    "file twice in RECORD": _record(Rule.RECORD_TWICE, "{name}", "{name},{hash},7\n{name}"),
    "no hash": _record(Rule.RECORD_UNHASHED, "{hash}", ""),
    "MD5": _record(Rule.RECORD_ALGORITHM, "{hash}", record_hash(_BODY, "md5")),
    "SHA-1": _record(Rule.RECORD_ALGORITHM, "{hash}", record_hash(_BODY, "sha1")),
    "hash cut": _record(Rule.RECORD_FORMAT, "{hash}", record_hash(_BODY)[:-1]),
    "hash of another length": _record(Rule.RECORD_FORMAT, "{hash}", "sha512=" + record_hash(_BODY)[7:]),
    "padded hash of another length": _record(Rule.RECORD_FORMAT, "{hash}", "sha512=" + record_hash(_BODY)[7:] + "="),
    "hash not base64": _record(Rule.RECORD_FORMAT, "{hash}", "sha256=" + "!" * 43),
    "size no number": _record(Rule.RECORD_FORMAT, ",{size}\n", ",big\n"),
    "size of another": _record(Rule.RECORD_SIZE, ",{size}\n", ",7\n"),
    "hash of another": _record(Rule.RECORD_HASH, "{hash}", record_hash(b"other")),
    "long hash of another": _record(Rule.RECORD_HASH, "{hash}", record_hash(b"other", "sha512")),
    "entry points not UTF-8": BadCase(Rule.ENTRY_POINTS, {"dist_info_files": {"entry_points.txt": b"\xff"}}),
    "entry point without reference": BadCase(
        Rule.ENTRY_POINTS, {"dist_info_files": {"entry_points.txt": b"[console_scripts]\ndemo\n"}}
    ),
    "entry point twice": BadCase(
        Rule.ENTRY_POINTS, {"dist_info_files": {"entry_points.txt": b"[gui_scripts]\na=b:c\na=b:d\n"}}
    ),
    "module without attribute": _script(Rule.ENTRY_POINT_REFERENCE, "demo", "demo"),
    "code for a reference": _script(Rule.ENTRY_POINT_REFERENCE, "demo", "os:system('x')"),
    "empty part of a reference": _script(Rule.ENTRY_POINT_REFERENCE, "demo", "demo..a:main"),
    "entry point in a directory": _script(Rule.SCRIPT_NAME, "../demo"),
    "entry point with a backslash": _script(Rule.SCRIPT_NAME, "..\\demo"),
    "entry point without a name": _script(Rule.SCRIPT_NAME, ""),
    "entry point named ..": _script(Rule.SCRIPT_NAME, ".."),
    "entry point python": _script(Rule.SCRIPT_RESERVED, "python"),
    "entry point Python3.12": _script(Rule.SCRIPT_RESERVED, "Python3.12"),
    "GUI script pythonw": BadCase(Rule.SCRIPT_RESERVED, {"entry_points": {"gui_scripts": {"pythonw": "demo:main"}}}),
    "script python3": _own_script(Rule.SCRIPT_RESERVED, "python3"),
    "script activate": _own_script(Rule.SCRIPT_RESERVED, "activate"),
    "script Activate.ps1": _own_script(Rule.SCRIPT_RESERVED, "Activate.ps1"),
    "script activate.fish": _own_script(Rule.SCRIPT_RESERVED, "activate.fish"),
    "script DEACTIVATE": _own_script(Rule.SCRIPT_RESERVED, "DEACTIVATE"),
    "script in a directory": _own_script(Rule.SCRIPT_NAME, "sub/demo"),
}
"""What is wrong with the wheel that the zip file holds."""

BAD_WHEELS: dict[str, BadCase] = {**ARCHIVES, **NAMES, **CONTENTS}
"""Every case, by what is wrong."""
