import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.mounts import mounted
from support.stores import SITE, Stock, make_stock, put_blob, tree_of
from support.wheels import make_wheel, record_hash

from wheelstore.materialize import link, tree
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.plan import Link, Plan, Record, Script, make_plan
from wheelstore.store.blobs import blob_name

if TYPE_CHECKING:
    from wheelstore.materialize.link import Mode

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # there are threads when pytest is distributed
    pytest.mark.skipif(not hasattr(os, "fork"), reason="trees are made by one process where there is no fork"),
]
CONTENTS = [b"", b"one\n", b"two\n" * 1000, b"three"]


@pytest.fixture(autouse=True)
def _every_tree_is_worth_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_WORTH_A_FORK", 1)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    return make_stock(tmp_path_factory.mktemp("tree") / "store")


@pytest.fixture(scope="module")
def sources(stock: Stock) -> dict[str, tuple[str, bytes]]:
    """What a file is to be (kind and content) by the blob's name."""
    found: dict[str, tuple[str, bytes]] = {"": ("file", b""), "x": ("program", b"")}
    for content in CONTENTS[1:]:
        name = blob_name(put_blob(stock.store.blobs, stock.store.tmp, content))
        path = Path(stock.store.blobs, f"{name}-x")
        path.write_bytes(content)
        path.chmod(0o555)
        os.utime(path, (0, os.stat(f"{stock.store.blobs}/{name}").st_mtime))
        found |= {name: ("file", content), f"{name}-x": ("program", content)}
    return found


word = st.sampled_from(["a", "é"])
# Directories at some depth are made by the process that needs them first.
deep = st.lists(word, min_size=5, max_size=9)
paths = st.lists(st.one_of(st.lists(word, min_size=1, max_size=4), deep, deep).map("/".join), min_size=20, max_size=60)


@st.composite
def layouts(draw: st.DrawFn) -> list[str]:
    """Paths of files, none of which is another's directory."""
    drawn = sorted(set(draw(paths)))
    return [path for path in drawn if not any(other.startswith(f"{path}/") for other in drawn)]


@given(layouts(), st.randoms(use_true_random=False), st.sampled_from([1, 2]), st.sampled_from(["hardlink", "copy"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_tree_is_what_its_plan_says(
    stock: Stock,
    sources: dict[str, tuple[str, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
    files: list[str],
    random: Random,
    processes: int,
    mode: "Mode",
) -> None:
    chosen = {file: random.choice(sorted(sources)) for file in files}
    further = ["of/its/own", "of/its/very/own"]
    plan = make_plan(map(Link, chosen, chosen.values()), [], [], [], directories=further)
    with pytest.MonkeyPatch.context() as patched:
        child_goes_first(patched)
        root = stock.build(tmp_path_factory.mktemp("built") / "env", plan, mode, processes=processes)
    found = tree_of(root)
    assert {path: what for path, what in found.items() if what[0] != "directory"} == {
        target: sources[source] for target, source in chosen.items()
    }
    assert {path for path, what in found.items() if what[0] == "directory"} == set(plan.directories[1:])


def child_goes_first(patched: pytest.MonkeyPatch) -> None:
    """Let the first half begin when the second half is there, which was made without help."""
    parent, real = os.getpid(), tree.Tree._create_run

    def create(self: tree.Tree, plan: Plan, first: int, *rest: int) -> None:
        if os.getpid() == parent and first == 0 and rest[0] < len(plan.directories):
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        real(self, plan, first, *rest)

    def finish(*_: object) -> None:
        pytest.fail("the child left something out")

    patched.setattr(tree.Tree, "_create_run", create)
    patched.setattr(tree.Tree, "_finish", finish)


def big_plan(stock: Stock, count: int = 60) -> Plan:
    """`count` files of 20 directories that share parents, each file another blob."""
    links = []
    for number in range(count):
        key = put_blob(stock.store.blobs, stock.store.tmp, b"%d\n" % number * 4000)
        links.append(Link(f"{SITE}/{'ab'[number % 2]}/{number % 20:02}/deep/{number}.py", blob_name(key)))
    return make_plan(links, [], [], [])


def no_child_is_left() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


def in_child(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]) -> None:
    """Call `act` before the child (and only it) makes its file of that name."""
    parent, real = os.getpid(), link._MAKERS["copy"]

    def copy(blob: str, path: str, source: str) -> None:
        if path.endswith(f"/{name}") and os.getpid() != parent:
            act()
        real(blob, path, source)

    monkeypatch.setitem(link._MAKERS, "copy", copy)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("at", [0, -1], ids=["first half", "second half"])
def test_a_missing_blob_is_an_error_that_names_it(tmp_path: Path, processes: int, at: int) -> None:
    stock = make_stock(tmp_path / "store")
    plan = big_plan(stock)
    os.unlink(f"{stock.store.blobs}/{plan.sources[at]}")
    with pytest.raises(BlobUnusable) as caught:
        stock.build(tmp_path / "env", plan, processes=processes)
    assert (caught.value.target, caught.value.blob) == (plan.targets[at], plan.sources[at])
    assert no_child_is_left()


@pytest.mark.parametrize("at", [0, -1], ids=["first", "last"])
def test_a_file_that_is_there_already_is_an_error(stock: Stock, tmp_path: Path, at: int) -> None:
    plan = big_plan(stock)
    there = tmp_path / "env" / plan.targets[at]
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        stock.tree(tmp_path / "env").create(plan, SITE, processes=1)
    assert there.read_bytes() == b"mine"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_is_an_os_error(stock: Stock, tmp_path: Path, processes: int) -> None:
    source = blob_name(put_blob(stock.store.blobs, stock.store.tmp, bytes(64 << 10)))
    plan = make_plan([Link(f"{number % 20:02}/{number}", source) for number in range(60)], [], [], [])
    with mounted("tmpfs", tmp_path / "small", megabytes=1) as small:
        with pytest.raises(OSError, match="No space left") as caught:
            stock.build(small / "env", plan, processes=processes)
        assert caught.value.errno == errno.ENOSPC
    assert no_child_is_left()


def test_an_error_that_only_the_child_had_is_made_good(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = big_plan(stock)

    def fail() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    in_child(monkeypatch, os.path.basename(plan.targets[-9]), fail)
    root = stock.build(tmp_path / "env", plan, "copy", processes=2)
    assert tree_of(root) == tree_of(stock.build(tmp_path / "other", plan, processes=1))


@pytest.mark.parametrize("at", [-30, -9, -1])
def test_what_a_killed_child_had_half_written_is_made_anew(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    plan = big_plan(stock)

    def die_half_way() -> None:
        (tmp_path / "env" / plan.targets[at]).write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    in_child(monkeypatch, os.path.basename(plan.targets[at]), die_half_way)
    root = stock.build(tmp_path / "env", plan, "copy", processes=2)
    assert tree_of(root) == tree_of(stock.build(tmp_path / "other", plan, processes=1))


def test_a_child_that_dies_at_once_is_no_loss(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = big_plan(stock)
    parent, real = os.getpid(), tree.Tree._create_run

    def create(self: tree.Tree, *rest: Any) -> None:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        real(self, *rest)

    monkeypatch.setattr(tree.Tree, "_create_run", create)
    root = stock.build(tmp_path / "env", plan, processes=2)
    assert tree_of(root) == tree_of(stock.build(tmp_path / "other", plan, processes=1))


@pytest.fixture
def never() -> Iterator[int]:
    """A descriptor that nothing can ever be read from."""
    reader, writer = os.pipe()
    yield reader
    os.close(reader)
    os.close(writer)


def test_an_interrupt_ends_the_child_too(
    stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, never: int
) -> None:
    plan = big_plan(stock)
    parent = os.getpid()

    def interrupted(*_: object) -> None:
        if os.getpid() != parent:
            os.read(never, 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(tree.Tree, "_create_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stock.build(tmp_path / "env", plan, processes=2)
    assert no_child_is_left()


def test_without_a_second_process_one_does_it(stock: Stock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    plan = big_plan(stock)
    expected = tree_of(stock.build(tmp_path / "one", plan, processes=1))
    monkeypatch.setattr(os, "fork", refuse)
    assert tree_of(stock.build(tmp_path / "two", plan, processes=2)) == expected


def test_files_of_the_root_take_the_place_of_the_venv_s(stock: Stock, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, data={"data/.gitignore": b"mine\n", "data/lib64/x": b"x\n"})
    root = tmp_path / "env"
    (root / "lib").mkdir(parents=True)
    (root / ".gitignore").write_text("*\n")
    (root / "lib64").symlink_to("lib")
    stock.tree(root).create(stock.plan([wheel]), SITE, processes=1)
    assert (root / ".gitignore").read_text() == "mine\n"
    assert (root / "lib/x").read_text() == "x\n"


def test_a_script_may_be_called_record(stock: Stock, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, entry_points={"console_scripts": {"RECORD": "demo:main"}})
    root = stock.build(tmp_path / "env", stock.plan([wheel]))
    assert os.access(root / "bin/RECORD", os.X_OK)
    assert not os.access(root / SITE / "demo-1.0.dist-info/RECORD", os.X_OK)


def test_a_tree_that_is_moved_afterwards_names_the_place_it_will_have(stock: Stock, tmp_path: Path) -> None:
    key = put_blob(stock.store.blobs, stock.store.tmp, b"bin/tool,,\n")
    script = Script("bin/tool", "demo", "main", "", gui=False)
    plan = make_plan([], [script], [Record(f"{SITE}/demo-1.0.dist-info/RECORD", blob_name(key), ("bin/tool",))], [])
    (tmp_path / "built").mkdir()
    made = tree.Tree(
        root=f"{tmp_path}/built", final="/final", blobs=stock.store.blobs, mode="hardlink", python="/final/bin/python"
    )
    made.create(plan, SITE, processes=1)
    assert (tmp_path / "built/bin/tool").read_text().startswith("#!/final/bin/python\n")
    content = (tmp_path / "built/bin/tool").read_bytes()
    record = (tmp_path / f"built/{SITE}/demo-1.0.dist-info/RECORD").read_text().splitlines()
    assert f"../../../bin/tool,{record_hash(content)},{len(content)}" in record
