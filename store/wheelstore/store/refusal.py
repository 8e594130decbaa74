"""Why a wheel is refused: one rule per thing that must not enter the store."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager

from wheelstore.store.errors import StoreError

_LONGEST_SHOWN = 200


class Rule(enum.Enum):
    """Everything that makes a wheel unacceptable; the value completes "entry X: …" or "refused: …"."""

    # The archive as a whole.
    NOT_AN_ARCHIVE = "this is not a zip archive, or it is cut short"
    TRAILING_BYTES = "bytes follow the end of the archive"
    PREFIXED = "bytes precede the first entry"
    SPANNED = "the archive spans several disks"
    DIRECTORY = "the central directory is damaged"
    DIRECTORY_END = "the central directory does not end where the end record begins"
    ZIP64 = "the zip64 fields are damaged or contradict the others"
    TOO_MANY_ENTRIES = "the archive has too many entries"
    TOO_LARGE = "the unpacked files are too large"
    RATIO = "the archive unpacks to implausibly many times its size"

    # One entry's headers.
    ENCRYPTED = "the entry is encrypted"
    FLAGS = "the entry uses a zip feature that wheels do not"
    METHOD = "the compression is neither stored nor deflate"
    EXTRA = "an extra field is damaged"
    STORED_SIZE = "the entry is stored, but its two sizes differ"
    SYMLINK = "the entry is a symbolic link"
    SPECIAL_FILE = "the entry is a device, pipe or socket"
    DIRECTORY_TYPE = "the name and the mode disagree about being a directory"
    DIRECTORY_DATA = "a directory has content"
    LOCAL_MISSING = "only the central directory knows the entry"
    LOCAL_ONLY = "an entry is missing from the central directory"
    LOCAL_NAME = "local header and central directory disagree about the name"
    LOCAL_METHOD = "local header and central directory disagree about the compression"
    LOCAL_FLAGS = "local header and central directory disagree about the flags"
    LOCAL_CRC = "local header and central directory disagree about the CRC"
    LOCAL_SIZE = "local header and central directory disagree about the sizes"
    DESCRIPTOR = "the data descriptor and the central directory disagree"
    OVERLAP = "the entry overlaps another"
    GAP = "unaccounted bytes precede the entry"
    DATA = "the compressed data is damaged, or longer or shorter than stated"
    SIZE = "the content does not have the stated size"
    CRC = "the content does not have the stated CRC"

    # One entry's name.
    NAME_EMPTY = "the name or a part of it is empty"
    NAME_ENCODING = "the name is not UTF-8"
    NAME_ALIAS = "an extra field gives the entry a second name"
    NAME_CONTROL = "the name has a control character"
    NAME_BACKSLASH = "the name has a backslash"
    NAME_ABSOLUTE = "the path is absolute"
    NAME_DRIVE = "the path names a drive"
    NAME_TRAVERSAL = "the path leaves the wheel or has a part of only dots"
    NAME_LENGTH = "the name is too long"
    DUPLICATE = "the name occurs twice"
    DUPLICATE_CASE = "two names differ only in upper and lower case"
    DUPLICATE_UNICODE = "two names differ only in Unicode normalization"
    FILE_AS_DIRECTORY = "a file is also used as a directory"

    # The wheel that the archive holds.
    FILENAME = "the file name is not that of a wheel"
    DIST_INFO = "there must be exactly one .dist-info directory"
    DIST_INFO_NAME = "the .dist-info directory belongs to another name or version"
    DATA_NAME = "the .data directory belongs to another name or version"
    DATA_KEY = "the .data key is unknown"
    DATA_TARGET = "the file would replace a part of the environment itself"
    MISSING_FILE = "the file is missing"
    OVERSIZED_FILE = "the file is too large for what it is"
    METADATA = "the metadata cannot be read"
    METADATA_NAME = "the metadata names another project"
    METADATA_VERSION = "the metadata has another version"
    METADATA_SERVED = "METADATA differs from the metadata that the index served beside the wheel"
    WHEEL_VERSION = "the wheel format is not version 1"
    WHEEL_METADATA = "the WHEEL file cannot be read"
    RECORD = "RECORD cannot be read"
    RECORD_UNLISTED = "the file is not listed in RECORD"
    RECORD_ABSENT = "the file is listed in RECORD, but not in the wheel"
    RECORD_TWICE = "RECORD lists the file twice, differently"
    RECORD_UNHASHED = "RECORD has no hash for the file"
    RECORD_ALGORITHM = "RECORD's hash is neither sha256, sha384 nor sha512"
    RECORD_FORMAT = "RECORD's line for the file is malformed"
    RECORD_SIZE = "RECORD has another size"
    RECORD_HASH = "RECORD has another hash"
    ENTRY_POINTS = "the entry points cannot be read"
    ENTRY_POINT_REFERENCE = "the entry point refers to no module and attribute"
    SCRIPT_NAME = "the script would leave the scripts directory"
    SCRIPT_RESERVED = "the script would replace the interpreter or a script of the environment"


class BadWheel(StoreError):
    """A wheel that must not enter the store.

    `wheel` is the file name (None until someone who knows it sets it), `entry` the name inside the
    archive (None where the rule is about the whole), `detail` what else helps to find it.
    """

    hint = "nothing of this wheel was installed; ask its publisher for a sound one, or pin another version"

    def __init__(self, entry: str | None, rule: Rule, detail: str | None = None, wheel: str | None = None) -> None:
        super().__init__(entry, rule, detail, wheel)
        self.entry, self.rule, self.detail, self.wheel = entry, rule, detail, wheel
        if rule is Rule.METADATA_SERVED:
            self.hint = "nothing of this wheel was installed; its index is wrong about it, so lock another version"

    def __str__(self) -> str:
        parts = [self.wheel] if self.wheel else []
        parts.append("refused")
        if self.entry is not None:
            parts.append(f"entry {_shown(self.entry)}")
        reason = self.rule.value + (f" ({self.detail})" if self.detail else "")
        return ": ".join([*parts, reason])


@contextmanager
def naming(wheel: str) -> Iterator[None]:
    """Give every `BadWheel` that passes the wheel's file name, if it has none yet."""
    try:
        yield
    except BadWheel as bad:
        bad.wheel = bad.wheel or wheel
        raise


def _shown(entry: str) -> str:
    """A name quoted on one line, however long or strange it is."""
    if len(entry) > _LONGEST_SHOWN:
        entry = f"{entry[:_LONGEST_SHOWN]}…"
    return repr(entry)
