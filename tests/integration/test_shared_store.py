"""A store of one user, and others who may only read it: set up as the README says, and never written to by them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import Ran, bare_environment, store_script
from support.extents import extents
from support.interpreters import PYTHONS
from support.mounts import mounted
from support.trees import files_below
from support.universe import Universe, make_universe
from support.users import NOBODY, needs_root, public_directory

pytestmark = needs_root
README = Path(__file__).parents[2] / "README.md"
OWNER, READER = re.findall(
    r"```sh\n(.*?)```", README.read_text().partition("**With other users.**")[2].partition("\n## ")[0], re.DOTALL
)


def is_open_to_all(path: str) -> bool:
    """Whether other users can start a program."""
    real = Path(os.path.realpath(path))
    return all(part.stat().st_mode & 0o005 == 0o005 for part in (real, *real.parents))


@pytest.fixture
def python() -> str:
    """An interpreter for everybody."""
    found = next((path for path in PYTHONS if is_open_to_all(path)), None)
    if found is None:
        pytest.skip("every Python here is in a directory that its owner alone may enter")
    return found


@pytest.fixture(params=["ext4", "btrfs", "xfs"])
def shared(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory on that filesystem (or wherever temporary files are) with the owner's and the readers' places."""
    with public_directory() as directory:
        if request.param == "ext4":
            yield directory
            return
        with mounted(request.param, directory, megabytes=400) as place:
            place.chmod(0o755)
            yield place


@pytest.fixture
def universe(shared: Path) -> Universe:
    """Wheels that everybody can read."""
    made = make_universe(shared / "wheels")
    made.lock(shared / "lock.txt", "alpha==1.0", "beta==1.0", "gamma==1.0")
    made.lock(shared / "other.txt", "alpha==2.0", "beta==1.0")
    made.lock(shared / "planned-by-nobody.txt", "alpha==2.0", "delta==1.0")
    return made


class User:
    """Somebody with a directory of their own, who runs shell commands in it."""

    def __init__(self, shared: Path, name: str, *, python: str, uid: int) -> None:
        self.home, self._shared, self._uid = shared / name, shared, uid
        self._environ = bare_environment(
            self.home,
            PATH=f"{Path(store_script()).parent}:{os.environ['PATH']}",
            STORE_PYTHON=python,
            PIP_NO_INDEX="1",
            PIP_FIND_LINKS=str(shared / "wheels"),
            STORE_DIR=str(shared / "srv"),
        )
        os.chown(self.home, uid, uid)

    def run(self, commands: str) -> Ran:
        """Run lines of shell; a reader's Python and packages may be root's alone, and only they are read as root."""
        words = [
            "sh",
            "-ec",
            commands.replace("/srv/wheels", str(self._shared / "srv")).replace(" lock.txt", " ../lock.txt"),
        ]
        if self._uid:
            ids = ["--reuid", str(self._uid), "--regid", str(self._uid), "--clear-groups"]
            sees = [] if is_open_to_all(sys.executable) else ["+dac_read_search"]
            capabilities = [word for each in sees for word in ("--inh-caps", each, "--ambient-caps", each)]
            words = ["setpriv", *ids, *capabilities, *words]
        done = subprocess.run(words, cwd=self.home, env=self._environ, capture_output=True, text=True, check=False)
        return Ran(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


def everything(root: Path) -> dict[str, object]:
    """What would change if anything were written, made or linked; shared memory has what times the kernel likes."""
    found: dict[str, object] = {}
    for path in (root, *root.rglob("*")):
        status = path.lstat()
        times = () if path.name.endswith("-shm") else (status.st_mtime_ns, status.st_ctime_ns)
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (status.st_ino, status.st_mode, status.st_uid, status.st_nlink, times, content)
    return found


@pytest.mark.parametrize("at_work", [False, True], ids=["resting", "left"])
def test_readers_sync_and_write_nothing(shared: Path, universe: Universe, python: str, at_work: bool) -> None:
    owner, reader = User(shared, "ci", python=python, uid=0), User(shared, "dev", python=python, uid=NOBODY)
    ran = owner.run(f"{OWNER}\nstore add ../other.txt --compile-bytecode")
    assert ran.status == 0, ran
    if at_work:  # from now on there are SQLite's files beside the index
        assert owner.run("store add ../other.txt ../wheels/delta*.whl && store sync ../other.txt").status == 0
        assert (shared / "srv" / "index.sqlite3-shm").exists()
    else:
        owner.run("chmod go-rx ../srv && store add ../other.txt ../wheels/delta*.whl && chmod go+rx ../srv")
    before = everything(shared / "srv")
    for commands, said in (
        (READER, " + alpha==1.0"),
        (READER, "Audited 3 packages"),
        ("rm -rf $HOME/.venv; PIP_FIND_LINKS= store sync ../other.txt --venv no-index-has-it", " + alpha==2.0"),
        ("store sync ../other.txt", " + alpha==2.0"),
        ("store sync ../other.txt --reinstall", " ~ alpha==2.0"),
        ("store sync ../planned-by-nobody.txt", " + delta==1.0"),
        ("store sync ../planned-by-nobody.txt --link-mode hardlink --venv there", " + delta==1.0"),
        ("store sync ../planned-by-nobody.txt --compile-bytecode --venv compiled", " + delta==1.0"),
        ("store venv empty", "Creating virtual environment"),
        ("store ls && store envs && store why alpha && store du && store path", ""),
    ):
        ran = reader.run(commands)
        assert (ran.status, ran.errors) == (0, []), ran
        assert said in ran.stderr, ran
        assert everything(shared / "srv") == before, commands
    assert list(reader.home.glob("*/lib/*/site-packages/delta.py"))
    bytecode = sorted(path.name.partition(".")[0] for path in reader.home.glob("compiled/**/*.pyc"))
    assert bytecode == ["__init__", "delta", "new"]  # what the store has: alpha's, and that of every empty module
    check_private(reader.home / "there", shared / "srv", cloned=shared.name in ("btrfs", "xfs"))


def check_private(environment: Path, store: Path, *, cloned: bool) -> None:
    """Whether an environment's files are its own, and share their space with the store's where that is possible."""
    blobs = {(path.stat().st_mtime_ns, path.read_bytes()): path for path in files_below(store / "blobs")}
    [data] = environment.glob("lib/*/site-packages/alpha/data.bin")
    blob = blobs[data.stat().st_mtime_ns, data.read_bytes()]
    assert (data.stat().st_nlink, data.stat().st_uid) == (1, NOBODY)
    if cloned:
        assert extents(data) == extents(blob)


def test_what_readers_cannot_do_is_explained(shared: Path, universe: Universe, python: str) -> None:
    owner, reader = User(shared, "ci", python=python, uid=0), User(shared, "dev", python=python, uid=NOBODY)
    store = shared / "srv"
    assert owner.run("store add ../lock.txt").status == 0
    ran = reader.run("store sync ../lock.txt")
    assert str(store) in ran.errors[0]
    assert "permission denied" in ran.errors[0].lower()
    assert "chmod go+rx" in ran.hints[0]
    assert owner.run(f"chmod go+rx {store}").status == 0
    ran = reader.run("store sync ../other.txt")
    assert ran.errors == [f"the store {store} is read-only here and lacks alpha-2.0-py3-none-any.whl"]
    assert "store add" in ran.hints[0]
    for part in ("blobs/00", "tokens"):
        (store / part).chmod(0o775)
        for user in (owner, reader):
            ran = user.run("store sync ../lock.txt --venv refused")
            assert ran.errors == [f"the store {store} is not used: {store}/{part} can be written to by other users"]
            assert ran.hints == [f"chmod -R go-w '{store}'"]
        assert owner.run(ran.hints[0]).status == 0
    assert reader.run("store sync ../lock.txt").status == 0
    for words, hint in (
        ("rollback", "a store that is only read keeps no history: sync the lock that it had before"),
        ("gc", "run 'store gc' as its owner, or name a store of your own with --store"),
        ("verify --repair", "ask its owner to run 'store verify --repair'"),
    ):
        ran = reader.run(f"store {words}")
        assert (ran.status, ran.hints) == (1, [hint]), ran
    assert reader.run("store verify").status == 0


def test_a_reader_and_the_owner_at_once(shared: Path, universe: Universe, python: str) -> None:
    if shared.name in ("btrfs", "xfs"):
        pytest.skip("the same everywhere")
    owner, reader = User(shared, "ci", python=python, uid=0), User(shared, "dev", python=python, uid=NOBODY)
    assert owner.run(OWNER).status == 0
    loop = "for n in 1 2 3 4 5 6; do {} || exit 1; done"
    child = os.fork()
    if not child:
        os._exit(reader.run(loop.format("store sync -q ../lock.txt --venv env$n && store ls -q")).status)
    busy = "store add -q ../wheels/delta*.whl ../other.txt && store sync -q ../other.txt && store sync -q ../lock.txt"
    ran = owner.run(loop.format(busy))
    assert (os.waitpid(child, 0)[1], ran.status, ran.stderr) == (0, 0, "")


def test_a_reader_of_a_damaged_store_is_not_told_to_repair_it(shared: Path, universe: Universe, python: str) -> None:
    owner, reader = User(shared, "ci", python=python, uid=0), User(shared, "dev", python=python, uid=NOBODY)
    assert owner.run("store add ../lock.txt && chmod go+rx ../srv").status == 0
    for blob in files_below(shared / "srv" / "blobs"):
        blob.unlink()
    ran = reader.run("store sync ../lock.txt")
    assert (ran.status, "is missing" in ran.errors[0]) == (1, True), ran
    assert ran.hints == ["run the same command again; or ask the store's owner to run 'store verify --repair'"]
