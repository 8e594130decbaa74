"""What an environment knows of itself: `.wheelstore/state` in its root.

On the warm path: a sync with nothing to do reads this one file, and compares the times of what others would change.
"""

from __future__ import annotations

import os
import time

from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

DIRECTORY = ".wheelstore"
LOCK, WHOLE = f"{DIRECTORY}/lock", "0" * 64
"""What a process claims (`Claims`) while it changes an environment."""

LEFTOVERS = ("change-", "state.", "token.")
"""How the names begin in it of what is there only while a process is at it."""
_CONFIG, _RECORDS = "pyvenv.cfg", "*.dist-info/RECORD"
_SETTLED_AFTER = 120.0  # seconds
_MAGIC = "wheelstore-environment-3"
_WITHOUT_BYTECODE = "wheelstore-environment-2"


class State(NamedTuple):
    """An environment as the last sync left it; all text, because it is one line a field on disk.

    `key` names the question (lock, interpreter, options) that `manifest` was the answer to. `python` is the base
    interpreter and `stamp` what it looked like; `identity` what an environment's content depends on of it. `inputs`
    are further files that the lock read, with digests. `marks` are what others would change (`marks_of`). `path` is
    where the environment was, and `boot` (`boot_mark`) when that was: nothing forces an environment to the disk, so
    what was made before the power went has to be looked at again. It is empty once there was time enough. `bytecode`
    are the optimisation levels for which it has bytecode (`manifest.bytecode_word`).
    """

    id: str
    path: str
    boot: str
    store: str
    manifest: str
    key: str
    mode: str
    python: str
    stamp: str
    identity: str
    version: str
    inputs: str
    packages: str
    marks: str
    bytecode: str


def read_state(environment: str) -> State | None:
    """The state of the environment at `environment`; None if it has none, or one of another version."""
    try:
        descriptor = os.open(f"{environment}/{DIRECTORY}/state", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        text = os.read(descriptor, 1 << 20).decode("utf-8", "surrogateescape")
    finally:
        os.close(descriptor)
    magic, *fields = [line.replace("\0", "\n") for line in text.split("\n")]
    if magic == _WITHOUT_BYTECODE:
        magic, fields = _MAGIC, [*fields, ""]
    return State(*fields) if magic == _MAGIC and len(fields) == len(State._fields) else None


def write_state(environment: str, state: State) -> None:
    """Keep `state`, by a new file that replaces the old one."""
    directory = f"{environment}/{DIRECTORY}"
    os.makedirs(directory, exist_ok=True)
    temporary = f"{directory}/state.{os.getpid()}"
    try:
        with open(temporary, "wb") as stream:
            lines = [field.replace("\n", "\0") for field in (_MAGIC, *state)]  # as no path has that
            stream.write("\n".join(lines).encode("utf-8", "surrogateescape"))
        os.replace(temporary, f"{directory}/state")
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def marked(sites: Iterable[str], scripts: str) -> tuple[str, ...]:
    """What other installers, and whoever tampers with what they go by, would change: the places for `marks_of`."""
    sites = dict.fromkeys(sites)
    return (*dict.fromkeys((*sites, scripts)), *(f"{site}/{_RECORDS}" for site in sites), _CONFIG)


def marks_of(environment: str, places: tuple[str, ...]) -> str:
    """The times of directories and files, and a digest of those of all RECORDs, as words that change when they do.

    A directory's time does not show that a file in it was edited; to 96 RECORDs, that takes 0.4 ms.
    """
    return " ".join(f"{place}={_mark(environment, place)}" for place in places)


def _mark(environment: str, place: str) -> str:
    try:
        if place.endswith(_RECORDS):
            return _records_mark(f"{environment}/{place[: -len(_RECORDS)]}")
        return str(os.stat(f"{environment}/{place}").st_mtime_ns)
    except OSError:
        return "none"


def _records_mark(site: str) -> str:
    from blake3 import blake3

    stat, known = os.stat, []
    for name in sorted(os.listdir(site)):
        if name.endswith(".dist-info"):
            try:
                status = stat(f"{site}{name}/RECORD")
                known.append(f"{name} {status.st_mtime_ns} {status.st_size} {status.st_ino}")
            except OSError:
                known.append(name)
    return blake3("\n".join(known).encode("utf-8", "surrogateescape")).hexdigest(8)


def marks_hold(environment: str, marks: str) -> bool:
    """Whether what `marks` (from `marks_of`) are of is as it was."""
    return marks_of(environment, tuple(word.rpartition("=")[0] for word in marks.split(" "))) == marks


def is_being_changed(environment: str) -> bool:
    """Whether a process is changing the environment, or was killed while it did (`change.finish_changes`)."""
    return any(name.startswith(LEFTOVERS) for name in os.listdir(f"{environment}/{DIRECTORY}"))


def boot_mark() -> str:
    """This moment, as what the machine's clock cannot change: which start of the machine, and seconds since then.

    Empty where there is no telling one start from another.
    """
    identifier = _boot_id()
    return f"{identifier} {int(time.monotonic())}" if identifier else ""


def may_be_lost(state: State) -> bool:
    """Whether a power cut may have taken something of what the environment was when its state was written."""
    return bool(state.boot) and state.boot.partition(" ")[0] != _boot_id()


def settle(environment: str, state: State) -> None:
    """Note that an environment is on the disk, after a time in which every system has written it there by itself.

    Linux writes what is older than 30 s (``vm.dirty_expire_centisecs``), looking every 5 s.
    """
    since = state.boot.rpartition(" ")[2]
    if not since.lstrip("-").isdigit() or time.monotonic() - int(since) < _SETTLED_AFTER:
        return
    from wheelstore.store.claims import try_claim

    try:
        descriptor = try_claim(f"{environment}/{LOCK}", WHOLE)
        if descriptor >= 0:
            try:
                if read_state(environment) == state:  # nobody changes it, or has changed it just now
                    write_state(environment, state._replace(boot=""))
            finally:
                os.close(descriptor)
    except OSError:  # not ours to write to
        return


def _boot_id() -> str:
    try:
        descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 64).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
