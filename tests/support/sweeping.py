"""Stop an operation at each of its effects, and hold what comes after to what it would have been."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from blake3 import blake3

from support.faults import Ended, Scene
from support.soundness import flaws_of, read_index
from support.trees import files_below
from wheelstore.cli.main import cli
from wheelstore.materialize.environment import State, marks_hold, read_state
from wheelstore.store.blobs import blob_name

Words = tuple[object, ...]
ROOM = ("mkdir", "rename", "replace", "link", "symlink", "open", "write", "ioctl", "commit")
CAN_COLLECT = "gc" in cli.commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A command to be stopped, and what is there before it: `prepare` is called once, with the scene.

    `again` is the next command, if it is not the same; `back` leads from the end to the beginning. What is compared
    is what there is after `then`.
    """

    prepare: Callable[[Scene], object]
    words: Words
    again: Words | None = None
    back: Words | None = None
    then: Words | None = None
    least: int
    """How many effects it has at least; fewer would mean that they are not counted any more."""


OLD = ("alpha==1.0", "beta==1.0", "delta==1.0")
NEW = ("alpha==2.0", "beta==1.0", "gamma==1.0", "foxtrot==1.0")
"""Against `OLD`: one is changed, one goes, two come, and where a file was there is a directory."""


def prepare_nothing(scene: Scene) -> None:
    scene.lock("old.txt", *OLD)
    scene.lock("new.txt", *NEW)


def prepare_store(scene: Scene) -> None:
    prepare_nothing(scene)
    scene.done("venv", "witness")


def prepare_wheels(scene: Scene) -> None:
    prepare_store(scene)
    scene.done("add", "old.txt")


def prepare_environment(scene: Scene) -> None:
    prepare_wheels(scene)
    scene.done("sync", "old.txt")
    scene.done("add", "new.txt")


NEW_ENVIRONMENTS = {
    "first": Operation(prepare=prepare_nothing, words=("sync", "old.txt"), least=400),
    "cold": Operation(prepare=prepare_store, words=("sync", "old.txt"), least=150),
    "warm": Operation(prepare=prepare_wheels, words=("sync", "old.txt"), least=60),
    "venv": Operation(prepare=prepare_wheels, words=("venv",), again=("venv", "--clear"), least=20),
    "venv --clear": Operation(prepare=prepare_environment, words=("venv", "--clear", ".venv"), least=60),
    "sync --clear": Operation(prepare=prepare_environment, words=("sync", "--clear", "new.txt"), least=100),
}
CHANGES = {
    "change": Operation(prepare=prepare_environment, words=("sync", "new.txt"), back=("sync", "old.txt"), least=60),
}


def prepare_garbage(scene: Scene) -> None:
    """Wheels that nobody needs, an environment that was deleted, and one with a history."""
    prepare_environment(scene)
    scene.done("sync", "new.txt")
    scene.lock("garbage.txt", "echo==1.0", "pip==99.0")
    scene.done("sync", "garbage.txt", "--venv", "gone")
    shutil.rmtree(scene.work / "gone")
    (scene.store / "tmp/op-lease-1-00000000").mkdir()


def prepare_damage(scene: Scene) -> None:
    """A blob that was edited through an environment, one that is gone, and one that nobody knows."""
    prepare_environment(scene)
    edited, lost = (blob_of(scene, name) for name in ("alpha/data.bin", "alpha/__init__.py"))
    edited.chmod(0o644)
    with edited.open("r+b") as stream:
        stream.write(b"edited")
    edited.chmod(0o444)
    lost.unlink()
    stranger = scene.store / "blobs/00" / ("0" * 62)
    stranger.write_bytes(b"stranger")


def blob_of(scene: Scene, name: str) -> Path:
    """The blob that an installed file is a link to."""
    (installed,) = scene.venv.glob(f"lib/python3*/site-packages/{name}")
    key = blob_name(blake3(installed.read_bytes()).digest())
    assert installed.samefile(scene.store / "blobs" / key)
    return scene.store / "blobs" / key


LAYERED = ("--link-mode", "layered", "--no-compile-bytecode")


def prepare_image(scene: Scene) -> None:
    """A layered environment, so that another one finds everything ready."""
    prepare_wheels(scene)
    scene.done("sync", "old.txt", *LAYERED, "--venv", "other")


def prepare_layered(scene: Scene) -> None:
    """A layered environment, and the wheels of what it is to become."""
    prepare_wheels(scene)
    scene.done("add", "new.txt")
    scene.done("sync", "old.txt", *LAYERED)


def prepare_stranger(scene: Scene) -> None:
    """An environment that no store knows."""
    prepare_wheels(scene)
    python = scene.environ["STORE_PYTHON"]
    subprocess.run([python, "-m", "venv", "--without-pip", scene.venv], check=True)


def prepare_images(scene: Scene) -> None:
    """Images: one in use, one of an environment that was deleted, one that another has left, one half built."""
    prepare_layered(scene)
    scene.lock("garbage.txt", "echo==1.0", "pip==99.0")
    scene.done("sync", "garbage.txt", *LAYERED, "--venv", "gone")
    shutil.rmtree(scene.work / "gone")
    scene.done("sync", "new.txt", *LAYERED, "--venv", "changed")
    scene.done("sync", "old.txt", *LAYERED, "--venv", "changed")
    (scene.store / "images/0123.lease-1-00000000/lib").mkdir(parents=True)


IMAGE_OPERATIONS = {
    "layered": Operation(prepare=prepare_wheels, words=("sync", "old.txt", *LAYERED), least=90),
    "layered warm": Operation(prepare=prepare_image, words=("sync", "old.txt", *LAYERED), least=30),
    "layered change": Operation(prepare=prepare_layered, words=("sync", "new.txt"), back=("sync", "old.txt"), least=60),
    "layered stranger": Operation(prepare=prepare_stranger, words=("sync", "old.txt", *LAYERED), least=60),
    "gc": Operation(prepare=prepare_images, words=("gc", "--grace", "0s"), least=30),
}


STORE_OPERATIONS = {
    "add": Operation(prepare=prepare_store, words=("add", "new.txt"), least=120),
    "gc": Operation(prepare=prepare_garbage, words=("gc", "--grace", "0s"), least=30),
    "verify --repair": Operation(
        prepare=prepare_damage, words=("verify", "--repair"), then=("sync", "old.txt"), least=60
    ),
    "forget": Operation(
        prepare=prepare_garbage, words=("forget", "witness"), back=("sync", "old.txt", "--venv", "witness"), least=3
    ),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a user can tell of the environment, its surroundings and the store, but for names made by chance."""

    environment: dict[str, str]
    state: State | None
    beside: list[str]
    images: dict[str, str]
    index: dict[str, list[tuple[object, ...]]]


def snapshot(scene: Scene) -> Snapshot:
    """How everything is."""
    state = read_state(str(scene.venv))
    return Snapshot(
        environment=content(scene.venv),
        state=state and state._replace(id="", boot="", marks=""),
        beside=sorted(os.listdir(scene.work)),
        images=content(scene.store / "images") if scene.store.exists() else {},
        index={query: sorted(read_index(scene.store, query), key=repr) for query in _QUERIES if scene.store.exists()},
    )


_QUERIES = (
    "SELECT filename, sha256, size, origin, files FROM wheels",
    "SELECT digest, content, plan FROM manifests",
    "SELECT manifest, filename FROM manifest_wheels JOIN wheels ON wheel = id",
    "SELECT key, manifest FROM answers",
    "SELECT path, manifest, mode, python, filesystem, generation, missing IS NOT NULL FROM environments",
    "SELECT path, number, g.manifest FROM generations g JOIN environments e ON environment = id",
    "SELECT key, size FROM blobs",
    "SELECT manifest, kind, size FROM images",
    "SELECT manifest, kind, plan FROM shapes",
)


def content(venv: Path) -> dict[str, str]:
    """Every file of an environment: mode and bytes, or where a link leads. Not what it knows of itself."""
    found = {}
    for path in files_below(venv):
        name = path.relative_to(venv).as_posix()
        if not name.startswith(".wheelstore/"):
            mode = path.lstat().st_mode
            body = os.readlink(path) if stat.S_ISLNK(mode) else sha256(path.read_bytes()).hexdigest()
            found[name] = f"{mode:o} {body}"
    return found


class Sweep:
    """An operation and how it ends undisturbed; the scene is at its beginning after `rewind`."""

    def __init__(self, scene: Scene, operation: Operation) -> None:
        self.scene, self.operation, self.collects = scene, operation, CAN_COLLECT
        operation.prepare(scene)
        scene.keep("before")
        self.before = snapshot(scene)
        self.whole: Ended = scene.done(*operation.words)
        self.fulfilled = snapshot(scene)
        self.after = self._end()
        self.reverted = self.after
        if operation.back is not None:
            scene.done(*operation.back)
            self.reverted = self._end()
        assert len(self.whole.effects) >= operation.least, self.whole.effects

    def _end(self) -> Snapshot:
        if self.operation.then is not None:
            self.scene.done(*self.operation.then)
        if self.collects:
            self.scene.done("gc")
        return snapshot(self.scene)

    def rewind(self) -> None:
        """Go back to the beginning."""
        self.scene.restore("before")

    def points(self, fault: str) -> list[int]:
        """The numbers of the effects at which `fault` makes a difference."""
        kinds = {"torn": ("write",), "ENOSPC": ROOM}.get(fault)
        return [at for at in range(1, len(self.whole.effects) + 1) if not kinds or self.whole.kind(at) in kinds]

    def flaws(self, *, forward: bool = True) -> list[str]:
        """What is wrong after the next command, which is the same, or (not `forward`) the one that leads back."""
        scene, operation = self.scene, self.operation
        words = (operation.again if forward else operation.back) or operation.words
        ran = scene.run(*words)
        if ran.status != 0:
            return [f"the next command: {ran.status} {ran.stderr}"]
        goal = self.after if forward else self.reverted
        found = self._end()
        flaws = [f"{words}: {flaw}" for flaw in self._environment_flaws()]
        # How often an environment has changed, and so what its history keeps, depends on what the killed one came to.
        # So is what is kept for a change that was not decided, until the environment has become something else.
        names = [name for name in _differing(goal, found) if forward or name not in ("images", "index")]
        flaws += [f"{name} differs: {_difference(goal, found, name)}" for name in names]
        return flaws + flaws_of(scene.store, collected=self.collects)

    def _environment_flaws(self) -> list[str]:
        flaws = []
        state = read_state(str(self.scene.venv))
        if state is not None and not marks_hold(str(self.scene.venv), state.marks):
            flaws.append("the marks do not hold")
        own = self.scene.venv / ".wheelstore"
        left = set(os.listdir(own)) - {"state", "lock", "token", "generation"} if own.is_dir() else set()
        return [*flaws, *(f".wheelstore/{name} is left" for name in left)]


def _differing(goal: Snapshot, found: Snapshot) -> list[str]:
    names = ("environment", "state", "beside", "images", "index")
    return [name for name in names if getattr(goal, name) != getattr(found, name)]


def _difference(goal: Snapshot, found: Snapshot, name: str) -> str:
    wanted, had = getattr(goal, name), getattr(found, name)
    if isinstance(wanted, dict) and isinstance(had, dict):
        keys = [key for key in wanted.keys() | had.keys() if wanted.get(key) != had.get(key)]
        return "; ".join(f"{key}: {wanted.get(key)} became {had.get(key)}" for key in sorted(keys))[:1000]
    return f"{wanted} became {had}"[:1000]


def points(sweep: Sweep, thorough: bool) -> list[tuple[str, int]]:
    """Where to kill: at every effect and at half of every write; fewer of operations that have very many."""
    found = [(fault, at) for fault in ("kill", "torn") for at in sweep.points(fault)]
    return found if thorough else found[:: 1 + len(found) // 50]


def kill(sweep: Sweep, fault: str, at: int) -> str:
    """Do it; where that was."""
    killed = sweep.scene.run(*sweep.operation.words, at=at, fault=fault)
    assert killed.status == -signal.SIGKILL, killed
    assert len(killed.effects) == at
    return f"{fault} {killed.last}"
