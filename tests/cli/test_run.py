"""`store run`: a command in an environment that is gone afterwards."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commands import UV, Ran, Running, eventually, run, store_script
from support.front_door import call_store
from support.soundness import flaws_of, read_index
from support.trees import status_below
from support.universe import Universe

from wheelstore.cli.run_request import split_command
from wheelstore.store.claims import claim_directory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="held at Linux's processes")

BOTH_WAYS = pytest.mark.parametrize("detach", ["1", "0"], ids=["becoming", "attending"])


class Yard:
    """A directory with a lock, a store that has all of it ready, and two fifos to meet a command at."""

    def __init__(self, universe: Universe, work: Path, store: Path) -> None:
        self.universe, self.work, self.store = universe, work, store
        universe.lock(work / "lock.txt", "alpha==1.0", "beta==1.0")
        self.sources = ("--no-index", "-f", str(universe.directory))
        os.mkfifo(work / "began")
        os.mkfifo(work / "gate")

    def start(self, code: str, *, detach: str, words: tuple[str, ...] = ()) -> Running:
        """Start Python in the lock's environment; `code` is preceded by what it takes to `meet` the test."""
        command = words or ("python", "-c", MEETING + code)
        environ = {**os.environ, "STORE_DETACH": detach}
        return Running([store_script(), "run", "lock.txt", "--", *command], environ=environ, cwd=self.work)

    def begun(self) -> str:
        """Wait until the command says something; what that is."""
        return (self.work / "began").read_text()

    def go_on(self) -> None:
        """Let the command go on."""
        (self.work / "gate").write_text("")

    def operations(self) -> list[str]:
        """The environments that are there."""
        return sorted(os.listdir(self.store / "tmp"))

    def left(self) -> list[str]:
        """What there is of commands that have ended."""
        leases = [name for name in os.listdir(self.store / "locks") if name.startswith("lease")]
        return [*self.operations(), *leases]


MEETING = """
import os, sys
def meet(text="-"):
    with open("began", "w") as stream:
        stream.write(text)
    with open("gate") as stream:
        stream.read()
"""


@pytest.fixture
def yard(universe: Universe, full_store: Path, work: Path) -> Yard:
    found = Yard(universe, work, full_store)
    made = call_store("prewarm", "lock.txt", *found.sources)
    assert made.status == 0, made.stderr
    return found


@pytest.fixture(params=["ready", "unhashed"])
def lock(request: pytest.FixtureRequest, yard: Yard) -> list[str]:
    """The words that name a lock: one that the front door answers, and one that takes the full command."""
    if request.param == "unhashed":
        yard.universe.lock(yard.work / "lock.txt", "alpha==1.0", "beta==1.0", hashed=False)
    return ["lock.txt", *yard.sources]


TELL = """
import alpha, beta, os, sys
assert sys.prefix == os.environ["VIRTUAL_ENV"] != sys.base_prefix
assert os.environ["PATH"].split(":")[0] == sys.prefix + "/bin", os.environ["PATH"]
assert "PYTHONHOME" not in os.environ
assert os.path.exists(sys.prefix + "/share/beta/beta.txt")
assert os.environ["MINE"] == "kept \\udcff" and os.getcwd() == os.path.realpath(".")
print(alpha.value, alpha.__file__)
"""


@BOTH_WAYS
def test_the_command_has_what_the_lock_says_and_nothing_is_left(yard: Yard, lock: list[str], detach: str) -> None:
    before = status_below(yard.store / "images")
    ran = call_store("run", *lock, "--", "python", "-c", TELL, STORE_DETACH=detach, MINE="kept \udcff")
    assert (ran.status, ran.stderr) == (0, "")
    value, _, file = ran.stdout.strip().partition(" ")
    assert value == "1"
    assert file.startswith(f"{yard.store}/images/")
    eventually(lambda: not yard.left())
    assert status_below(yard.store / "images") == before
    assert sorted(os.listdir(yard.work)) == ["began", "gate", "lock.txt"]
    assert read_index(yard.store, "SELECT * FROM environments") == []
    assert call_store("gc").status == 0  # there is a row yet that says that there was a command
    assert flaws_of(yard.store, collected=True) == []


def test_python_home_is_not_passed_on(yard: Yard) -> None:
    # Python itself would be led astray by one; so `store` is asked in this process's children only.
    code = "import os; os.environ['PYTHONHOME'] = '/nowhere'; from wheelstore.cli import front; front.script()"
    command = [sys.executable, "-c", code, "run", "lock.txt", "--", "/usr/bin/env"]
    ran = run(command, environ={**os.environ}, cwd=yard.work)
    assert ran.status == 0, ran.stderr
    assert "PYTHONHOME" not in ran.stdout


@BOTH_WAYS
def test_scripts_of_the_lock_are_found_first(yard: Yard, detach: str) -> None:
    assert call_store("run", "lock.txt", "--", "beta-tool", STORE_DETACH=detach).stdout == "1.0\n"
    assert call_store("run", "lock.txt", "beta.sh", STORE_DETACH=detach).stdout == "beta\n"


def test_the_first_run_makes_what_it_takes(universe: Universe, full_store: Path, work: Path) -> None:
    universe.lock(work / "lock.txt", "alpha==1.0")
    words = ("run", "lock.txt", "--no-index", "-f", universe.directory, "--", "python", "-c")
    code = "import alpha; print(alpha.__cached__, __import__('os').path.exists(alpha.__cached__))"
    first = call_store(*words, code, PYTHONPYCACHEPREFIX="")
    assert (first.status, first.stdout.split()[-1:]) == (0, ["True"]), first.stderr
    again = call_store(*words, code, PYTHONPYCACHEPREFIX="")
    assert (again.status, again.stdout, again.stderr) == (0, first.stdout, "")
    # Directories of images are read-only, which root's Python would not mind.
    none = call_store("run", "--no-compile-bytecode", *words[1:], code, powerless=True, PYTHONPYCACHEPREFIX="")
    assert (none.status, none.stdout.split()[-1:]) == (0, ["False"])


def test_what_is_ready_is_run_without_click(yard: Yard) -> None:
    broken = yard.work / "broken"
    broken.mkdir()
    for name in ("click", "httpcore", "rich"):
        (broken / f"{name}.py").write_text("raise SystemError('imported')")
    assert call_store("run", "lock.txt", "python", "-c", "import alpha", PYTHONPATH=str(broken)).status == 0
    universe, work = yard.universe, yard.work
    universe.lock(work / "other.txt", "gamma==1.0")
    assert call_store("run", "other.txt", "true", PYTHONPATH=str(broken)).status != 0


@BOTH_WAYS
def test_the_exit_status_is_the_commands(yard: Yard, lock: list[str], detach: str) -> None:
    assert call_store("run", *lock, "--", "sh", "-c", "exit 3", STORE_DETACH=detach).status == 3
    assert call_store("run", *lock, "--", "sh", "-c", "kill -TERM $$", STORE_DETACH=detach).status == -signal.SIGTERM
    assert call_store("run", *lock, "--", "sh", "-c", "kill -KILL $$", STORE_DETACH=detach).status == -signal.SIGKILL
    eventually(lambda: not yard.left())


@BOTH_WAYS
def test_commands_that_cannot_be_started(yard: Yard, detach: str) -> None:
    (yard.work / "plain").write_text("echo plain\n")
    for command, status in (("no-such-command", 127), ("./nowhere/x", 127), ("", 127), ("./plain", 126)):
        ran = call_store("run", "lock.txt", "--", command, STORE_DETACH=detach)
        assert (ran.status, len(ran.errors), len(ran.hints)) == (status, 1, int(status == 127)), ran
        assert ran.errors[0].startswith(f"{command}: ")
    (yard.work / "plain").chmod(0o755)  # a script without a first line is the shell's
    ran = call_store("run", "lock.txt", "--", "./plain", STORE_DETACH=detach)
    assert (ran.status, ran.stdout) == (0, "plain\n")
    eventually(lambda: not yard.left())


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["lock.txt"], "missing the command"),
        (["lock.txt", "--"], "missing the command"),
        (["--", "python"], "missing argument"),
        (["--venv", "x", "lock.txt", "--", "python"], "no such option"),
        (["--link-mode=copy", "lock.txt", "--", "python"], "no such option"),
    ],
)
def test_what_is_no_such_command_line(yard: Yard, words: list[str], named: str) -> None:
    ran = call_store("run", *words)
    assert ran.status == 2
    assert named in ran.errors[0]


@pytest.mark.parametrize(
    ("words", "own", "command"),
    [
        ("lock.txt -- python -c pass", "lock.txt", "python -c pass"),
        ("a.txt b.txt --python 3.12 -- python -- x", "a.txt b.txt --python 3.12", "python -- x"),
        ("lock.txt python -c pass", "lock.txt", "python -c pass"),
        (
            "-q --python 3.12 lock.txt --index-url=x pytest -q --store y",
            "-q --python 3.12 lock.txt --index-url=x",
            None,
        ),
        ("-f wheels lock.txt -p 3.12 python", "-f wheels lock.txt -p 3.12", "python"),
        ("- cat", "-", "cat"),
        ("lock.txt", "lock.txt", ""),
        ("lock.txt --", "lock.txt", ""),
        ("--help", "--help", ""),
        ("lock.txt -q", "lock.txt -q", ""),
    ],
)
def test_where_the_command_begins(words: str, own: str, command: str | None) -> None:
    expected = words[len(own) :].strip() if command is None else command
    assert split_command(words.split()) == (own.split(), expected.split())


@BOTH_WAYS
def test_input_and_output_are_the_commands(yard: Yard, detach: str) -> None:
    data = bytes(range(256)) * 1000
    environ = {**os.environ, "STORE_DETACH": detach}
    words = [store_script(), "run", "lock.txt", "--"]
    done = subprocess.run([*words, "cat"], input=data, env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, data, b"")
    tell = [*words, "sh", "-c", "test -e /proc/self/fd/0 && echo open || echo closed"]
    closed = subprocess.run(["sh", "-c", '"$@" <&-', "-", *tell], env=environ, capture_output=True, check=False)
    assert (closed.returncode, closed.stdout) == (0, b"closed\n"), closed.stderr
    pipe = subprocess.run(["sh", "-c", '"$@" | head -c 4', "-", *words, "yes"], env=environ, capture_output=True)
    assert (pipe.stdout, pipe.stderr) == (b"y\ny\n", b"")
    eventually(lambda: not yard.left())


def test_nobody_waits_for_the_process_that_cleans_up(yard: Yard) -> None:
    # All that the command and its cleaner have of the pipe is closed when the command ends, or this would hang.
    with yard.start("print('done'); sys.stdout.flush(); os.closerange(0, 3); meet()", detach="1") as running:
        yard.begun()
        assert yard.operations()
        yard.go_on()
        assert running.finish().status == 0


_NAMED = (1 << 31) - 1  # signals 32 and 33 are the C library's, which `posix_spawn` leaves ignored


@BOTH_WAYS
def test_signals_that_python_ignores_are_as_usual(yard: Yard, detach: str) -> None:
    ran = call_store("run", "lock.txt", "--", "grep", "^Sig[IB]", "/proc/self/status", STORE_DETACH=detach)
    usual = subprocess.run(["grep", "^Sig[IB]", "/proc/self/status"], check=True, capture_output=True, text=True).stdout
    assert [int(line.split()[1], 16) & _NAMED for line in ran.stdout.splitlines()] == [
        int(line.split()[1], 16) & _NAMED for line in usual.splitlines()
    ]


@BOTH_WAYS
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1], ids=lambda one: one.name
)
def test_signals_reach_the_command(yard: Yard, number: signal.Signals, detach: str) -> None:
    code = f"import signal; signal.signal({int(number)}, lambda *_: sys.exit(7)); meet()"
    with yard.start(code, detach=detach) as running:
        yard.begun()
        running.send(number)
        assert running.finish().status == 7
    eventually(lambda: not yard.left())


@BOTH_WAYS
def test_a_signal_that_ends_the_command_is_how_it_ended(yard: Yard, detach: str) -> None:
    with yard.start("meet()", detach=detach) as running:
        yard.begun()
        running.send(signal.SIGTERM)
        assert running.finish().status == -signal.SIGTERM
    eventually(lambda: not yard.left())


@BOTH_WAYS
def test_control_c_on_a_terminal_is_heard_once(yard: Yard, detach: str) -> None:
    code = """
import signal
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
open("began", "w").close()
signal.sigtimedwait(set(), 0)
with open("gate") as stream:
    stream.read()
sys.exit(len(heard))
"""
    pid, leader = pty.fork()
    if not pid:
        os.environ["STORE_DETACH"] = detach
        os.execv(store_script(), ["store", "run", "lock.txt", "--", "python", "-c", "import sys\n" + code])
    try:
        yard.begun()
        os.write(leader, b"\x03")
        assert b"^C" in os.read(leader, 100)  # the terminal has sent the signal
        yard.go_on()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    finally:
        os.close(leader)


@BOTH_WAYS
def test_gc_leaves_what_a_command_uses(yard: Yard, detach: str) -> None:
    assert call_store("prewarm", "lock.txt", "--drop").status == 0  # so that nothing else keeps the image
    with yard.start(
        "meet(); import alpha; print(open(sys.prefix + '/share/beta/beta.txt').read())", detach=detach
    ) as one:
        yard.begun()
        assert call_store("gc", "--grace", "0s").status == 0
        assert len(yard.operations()) == 1
        yard.go_on()
        ended = one.finish()
    assert (ended.status, ended.stdout) == (0, "beta\n\n"), ended.stderr
    eventually(lambda: not yard.left())
    assert call_store("gc", "--grace", "0s").status == 0
    assert os.listdir(yard.store / "images") == []
    assert flaws_of(yard.store, collected=True) == []


@BOTH_WAYS
def test_an_image_that_is_made_anew_under_a_command_stays(yard: Yard, detach: str) -> None:
    assert call_store("prewarm", "lock.txt", "--drop").status == 0  # so that nothing else keeps the image
    (image,) = (yard.store / "images").iterdir()
    with yard.start("meet(); import alpha, beta; print(beta.__file__)", detach=detach) as one:
        yard.begun()
        (package,) = image.glob("lib/python3*/site-packages/beta")
        package.chmod(0o755)
        assert call_store("verify", "--repair").status == 0
        assert call_store("gc", "--grace", "0s").status == 0
        yard.go_on()
        ended = one.finish()
    assert (ended.status, ended.stdout.startswith(str(image))) == (0, True), ended.stderr
    eventually(lambda: not yard.left())
    assert call_store("gc", "--grace", "0s").status == 0
    assert os.listdir(yard.store / "images") == []
    assert flaws_of(yard.store, collected=True) == []


@BOTH_WAYS
def test_runs_leave_one_row_at_most(yard: Yard, detach: str) -> None:
    for _ in range(3):
        assert call_store("run", "lock.txt", "--", "true", STORE_DETACH=detach).status == 0
        eventually(lambda: not yard.left())
    assert len(read_index(yard.store, "SELECT * FROM leases")) <= 1


def test_whoever_has_the_image_locked_is_not_waited_for(yard: Yard, lock: list[str]) -> None:
    (image,) = (yard.store / "images").iterdir()
    claim = claim_directory(str(image))
    try:
        ran = call_store("run", *lock, "--", "python", "-c", "import alpha")
    finally:
        os.close(claim)
    assert (ran.status, ran.stderr) == (0, "")


def test_a_command_that_closes_all_files_keeps_its_environment(yard: Yard) -> None:
    with yard.start("os.closerange(3, 1000); meet(); import alpha", detach="1") as running:
        yard.begun()
        assert call_store("gc").status == 0
        assert len(yard.operations()) == 1
        yard.go_on()
        assert running.finish().status == 0
    eventually(lambda: not yard.left())


@BOTH_WAYS
def test_a_child_that_lives_longer_keeps_the_environment(yard: Yard, detach: str) -> None:
    script = 'python -c "$0" >/dev/null 2>&1 & exit 0'
    with yard.start(
        "", detach=detach, words=("sh", "-c", script, MEETING + "meet(); import alpha; meet('imported')")
    ) as one:
        yard.begun()
        assert one.finish().status == 0
        assert call_store("gc").status == 0
        assert len(yard.operations()) == 1
        yard.go_on()
        assert yard.begun() == "imported"
        yard.go_on()
    if detach == "1":
        eventually(lambda: not yard.left())
    else:  # nobody waits for it but gc
        eventually(lambda: call_store("gc").status == 0 and not yard.left())


def test_what_a_killed_cleaner_leaves_is_for_gc(yard: Yard) -> None:
    with yard.start("meet(str(os.getpid()))", detach="1") as running:
        command = int(yard.begun())
        (lease,) = (yard.store / "locks").glob("lease-*")
        cleaners = [pid for pid in _with_open(lease) if pid != command]
        assert len(cleaners) == 1
        os.kill(cleaners[0], signal.SIGKILL)
        assert call_store("gc").status == 0
        assert len(yard.operations()) == 1  # the command still has it
        yard.go_on()
        assert running.finish().status == 0
    assert len(yard.left()) == 2
    assert call_store("gc").status == 0
    assert yard.left() == []


def _with_open(path: Path) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(path.samefile(one) for one in (process / "fd").iterdir()):
                yield int(process.name)
        except OSError:
            continue


def test_what_is_installed_meanwhile_is_gone_afterwards(yard: Yard) -> None:
    before = status_below(yard.store / "images")
    wheels = str(yard.universe.directory)
    install = f"{UV} pip install --no-index -f {wheels} --python $VIRTUAL_ENV/bin/python alpha==2.0 gamma"
    script = f"{install} && python -c 'import alpha, gamma; print(alpha.value, gamma.__file__)'"
    ran = call_store("run", "lock.txt", "--", "sh", "-c", script)
    assert ran.status == 0, ran.stderr
    value, _, file = ran.stdout.strip().partition(" ")
    assert value == "2"
    assert file.startswith(f"{yard.store}/tmp/")
    assert call_store("run", "lock.txt", "--", "python", "-c", "import alpha; print(alpha.value)").stdout == "1\n"
    assert call_store("run", "lock.txt", "--", "python", "-c", "import gamma").status == 1
    assert status_below(yard.store / "images") == before
    assert yard.left() == []


def test_the_python_that_is_asked_for(yard: Yard) -> None:
    ran = call_store("run", "-q", "--python", sys.executable, "lock.txt", "python", "-V")
    assert ran.stdout == f"Python {sys.version.split()[0]}\n"
    missing = call_store("run", "--python", "2.1", "lock.txt", "python")
    assert (missing.status, len(missing.errors)) == (1, 1)


def test_verbose_says_nothing_that_is_not_asked_for(yard: Yard) -> None:
    ran = call_store("run", "lock.txt", "--", "sh", "-c", "echo $0 $1", "-v", "--quiet")
    assert (ran.stdout, ran.stderr) == ("-v --quiet\n", "")


@BOTH_WAYS
def test_someone_elses_store(yard: Yard, tmp_path: Path, detach: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def call(*words: str) -> Ran:
        return call_store(*words, powerless=True, TMPDIR=str(elsewhere), STORE_DETACH=detach)

    yard.universe.lock(yard.work / "other.txt", "beta==1.0")
    directories = [path for path in (yard.store, *yard.store.rglob("*")) if path.is_dir() and not path.is_symlink()]
    modes = {path: path.stat().st_mode for path in directories}
    for path in directories:
        path.chmod(0o555)
    try:
        code = "import alpha, sys; print(sys.prefix, open(sys.prefix + '/share/beta/beta.txt').read())"
        ran = call("run", "lock.txt", "--", "python", "-c", code)
        assert ran.status == 0, ran.stderr
        assert ran.stdout.startswith(f"{elsewhere}/")
        assert ran.stdout.endswith("beta\n\n")
        eventually(lambda: not os.listdir(elsewhere))
        (image,) = (yard.store / "images").iterdir()
        claim = claim_directory(str(image))  # as another reader might, for as long as they like
        try:
            assert call("run", "lock.txt", "--", "python", "-c", "import alpha").status == 0
        finally:
            os.close(claim)
        eventually(lambda: not os.listdir(elsewhere))
        lacking = call("run", "other.txt", *yard.sources, "--", "true")
        assert (lacking.status, len(lacking.errors)) == (1, 1)
        assert "has no image" in lacking.errors[0]
        assert os.listdir(elsewhere) == []
    finally:
        for path, mode in modes.items():
            path.chmod(mode & 0o7777)
