from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from blake3 import blake3
from support.interpreters import every_python, facts_of
from support.stores import put_blob

from wheelstore.materialize import bytecode
from wheelstore.materialize.bytecode import (
    CompilingFailed,
    Module,
    bytecode_tag,
    compile_modules,
    modules_of,
    source_time,
    with_bytecode,
)
from wheelstore.materialize.interpreter import Interpreter, InterpreterFailed
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.plan import Link, make_plan
from wheelstore.store.blobs import blob_mtime, blob_name

ORDINARY = b"answer = 42\n"
BROKEN = (b"{% not python %}\n", b"\xff = 1\n", b"'\0'\n", b"return\n")
TRICKY = b"""
class Outer:
    class Inner:
        '''Outer.Inner'''
        name = "webkit"

def local():
    class Local:
        pass
    return Local, "x" in {"webkit", "firefox", "chromium"}, 1 in {None, 1, 2.5}, b"bytes", (1, ("webkit", 3j))

def again(kind):
    return kind in {"webkit", "firefox", "chromium"} or kind is local.__qualname__
"""


@pytest.fixture
def blobs(tmp_path: Path) -> str:
    (tmp_path / "tmp").mkdir()
    for shard in range(256):
        (tmp_path / "blobs" / f"{shard:02x}").mkdir(parents=True)
    return str(tmp_path / "blobs")


@pytest.fixture
def interpreter() -> Interpreter:
    return facts_of(sys.executable)


def modules(blobs: str, *contents: bytes, level: int = 0) -> list[Module]:
    """Blobs of these contents, as modules."""
    found = []
    for content in contents:
        source = blob_name(put_blob(blobs, f"{blobs}/../tmp", content)) if content else ""
        found.append(Module(source, len(content), level))
    return found


def compiled(interpreter: Interpreter, blobs: str, wanted: Iterable[Module], processes: int = 1) -> dict[str, bytes]:
    """The bytecode of each module, by source."""
    with closing(compile_modules(interpreter, blobs, [*wanted], processes=processes)) as results:
        return {module.source: pyc for module, pyc in results}


@every_python
def test_every_python_finds_what_was_compiled_valid(python: str, blobs: str, tmp_path: Path) -> None:
    interpreter = facts_of(python)
    contents = {"one.py": b"def fail():\n    raise ValueError\n", "empty.py": b""}
    pycs = compiled(interpreter, blobs, modules(blobs, *contents.values()))
    (tmp_path / "__pycache__").mkdir()
    for name, content in contents.items():
        key = blake3(content).digest()
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (blob_mtime(key), blob_mtime(key)))
        tag = bytecode_tag(interpreter, 0).partition(" ")[0]
        (tmp_path / "__pycache__" / f"{name[:-3]}.{tag}.pyc").write_bytes(pycs[blob_name(key) if content else ""])
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import one, empty, traceback, inspect\n"
        "try: one.fail()\nexcept ValueError: print(traceback.format_exc())\n"
        "print(inspect.getsource(one.fail), one.fail.__code__.co_filename, one.__cached__)"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    ran = subprocess.run(
        [python, "-S", "-B", "-v", "-c", script, str(tmp_path)], env=environ, capture_output=True, text=True, check=True
    )
    for name in contents:
        assert f"matches {tmp_path / name}" in ran.stderr
    assert f'File "{tmp_path}/one.py", line 2, in fail' in ran.stdout
    assert "def fail():\n    raise ValueError" in ran.stdout
    assert str(tmp_path / "one.py") in ran.stdout


@every_python
def test_bytecode_depends_on_nothing_but_its_source(python: str, blobs: str) -> None:
    interpreter = facts_of(python)
    if interpreter.implementation != "cpython":
        pytest.skip("only CPython's marshal is understood that well")
    others = [f"def f{n}(): return 'webkit{n}' in {{'firefox', 'webkit'}}, 'Outer.Inner'\n".encode() for n in range(20)]
    library = [Path(interpreter.stdlib, name).read_bytes() for name in ("argparse.py", "typing.py", "ast.py")]
    wanted = modules(blobs, TRICKY, *others, *library)
    alone: dict[str, bytes] = {}
    for module in wanted:
        alone |= compiled(interpreter, blobs, [module])
    for seed in range(3):
        random.Random(seed).shuffle(wanted)
        # The largest come first, so let sizes say the order.
        ordered = [module._replace(size=size) for size, module in enumerate(wanted)]
        assert compiled(interpreter, blobs, ordered) == alone


@pytest.mark.parametrize("variable", ["SOURCE_DATE_EPOCH", "PYTHONHASHSEED", "PYTHONOPTIMIZE"])
def test_nothing_in_the_environment_has_a_say(
    variable: str, blobs: str, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (module,) = modules(blobs, TRICKY)
    before = compiled(interpreter, blobs, [module])
    monkeypatch.setenv(variable, "1")
    assert compiled(interpreter, blobs, [module]) == before
    header = before[module.source][:16]
    assert header[:4].hex() == interpreter.magic
    words = [int.from_bytes(header[at : at + 4], "little") for at in (4, 8, 12)]
    assert words == [0, source_time(module.source), len(TRICKY)]


def test_levels_of_optimisation_differ(blobs: str, interpreter: Interpreter) -> None:
    source = b"'''doc'''\nassert False\n"
    pycs = [compiled(interpreter, blobs, modules(blobs, source, level=level)).popitem()[1] for level in (0, 1, 2)]
    assert [b"AssertionError" in pyc or b"doc" in pyc for pyc in pycs] == [True, True, False]
    assert len(set(pycs)) == 3


@every_python
def test_what_does_not_compile_has_no_bytecode_and_harms_nothing_else(python: str, blobs: str) -> None:
    wanted = modules(blobs, *BROKEN, ORDINARY)
    pycs = compiled(facts_of(python), blobs, wanted)
    assert [bool(pycs[module.source]) for module in wanted] == [False] * len(BROKEN) + [True]


@every_python
def test_what_is_nested_too_deep_does_not_compile(python: str, blobs: str) -> None:
    # To a parser, too deep is a lack of memory.
    deep, ordinary = modules(blobs, b"a = " + b"-" * 50_000 + b"1\n", ORDINARY)
    pycs = compiled(facts_of(python), blobs, [deep, ordinary])
    assert (pycs[deep.source], bool(pycs[ordinary.source])) == (b"", True)


def dying_python(directory: Path, interpreter: Interpreter, word: str, what: str, patience: int = 90) -> Interpreter:
    """An interpreter that does `what` when it is to compile something with `word` in it."""
    script = directory / "dying.py"
    real = Path(bytecode._SCRIPT).read_text().replace("PATIENCE = 90", f"PATIENCE = {patience}")
    script.write_text(
        "import builtins, os, time\nreal = compile\n"
        f"def compile(source, *rest, **named):\n    if {word!r} in str(source): {what}\n"
        "    return real(source, *rest, **named)\nbuiltins.compile = compile\n" + real
    )
    launcher = directory / "python"
    launcher.write_text(f'#!/bin/sh\nshift 4\nexec {interpreter.executable} -S -s -B {script} "$@"\n')
    launcher.chmod(0o755)
    facts = {name: getattr(interpreter, name) for name in Interpreter.__slots__ if name != "_identity"}
    return Interpreter(**(facts | {"executable": str(launcher)}))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("os.kill(os.getpid(), 9)", "killed by signal 9, perhaps for want of memory"),
        ("os._exit(3)", "ended with status 3"),
        ("raise SystemError", "ended with status 1"),
        ("time.sleep(600)", r"longer than 0\.5 seconds"),
        ("globals().update(bytes=lambda n: [0] * 2**60); raise MemoryError", "out of memory"),
    ],
)
def test_what_the_source_is_not_to_blame_for_is_an_error(
    what: str, said: str, blobs: str, tmp_path: Path, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bytecode, "_LATE", 0.5)
    dying = dying_python(tmp_path, interpreter, "poison", what)
    wanted = modules(blobs, *(b"n = %d\n" % number for number in range(20)), b"poison = 1\n")
    with pytest.raises(CompilingFailed, match=said) as caught:
        compiled(dying, blobs, wanted, processes=2)
    assert caught.value.blob == wanted[-1].source


def test_a_module_that_hangs_ends_though_nobody_waits_for_it(
    blobs: str, tmp_path: Path, interpreter: Interpreter
) -> None:
    endless = dying_python(tmp_path, interpreter, "poison", "(time.sleep(600))", patience=1)
    with pytest.raises(CompilingFailed, match=f"killed by signal {int(signal.SIGALRM)}"):
        compiled(endless, blobs, modules(blobs, b"poison = 1\n"))


@pytest.mark.parametrize("name", ["new\nline", "no \udcff UTF-8 "])
def test_a_store_may_be_called_anything(name: str, blobs: str, interpreter: Interpreter) -> None:
    wanted = modules(blobs, ORDINARY, b"")
    odd = f"{os.path.dirname(blobs)}/{name}"
    try:
        os.rename(blobs, odd)
    except OSError:
        pytest.skip("the file system wants UTF-8")
    assert all(compiled(interpreter, odd, wanted).values())


def test_who_stops_early_leaves_no_process_behind(blobs: str, tmp_path: Path, interpreter: Interpreter) -> None:
    endless = dying_python(tmp_path, interpreter, "poison", "time.sleep(600)")
    wanted = modules(blobs, ORDINARY, b"poison = 1\n", b"poison = 2\n")
    threads = threading.active_count()
    with closing(
        compile_modules(endless, blobs, wanted[:1] + [one._replace(size=0) for one in wanted[1:]], processes=2)
    ) as results:
        assert next(results).module == wanted[0]
    assert threading.active_count() == threads


def test_a_module_that_was_changed_in_the_store_is_not_compiled(blobs: str, interpreter: Interpreter) -> None:
    (module,) = modules(blobs, ORDINARY)
    os.utime(f"{blobs}/{module.source}", (1, 1))
    with pytest.raises(BlobUnusable, match="was changed"):
        compiled(interpreter, blobs, [module])


def test_an_interpreter_that_is_gone_or_another_one_is_named(
    blobs: str, tmp_path: Path, interpreter: Interpreter
) -> None:
    facts = {name: getattr(interpreter, name) for name in Interpreter.__slots__ if name != "_identity"}
    for change, said in (
        ({"executable": str(tmp_path / "none")}, "none"),
        ({"executable": "/bin/false"}, "does not start"),
        ({"magic": "00000000"}, "is another Python"),
    ):
        with pytest.raises(InterpreterFailed, match=said):
            compiled(Interpreter(**(facts | change)), blobs, modules(blobs, ORDINARY))


def test_a_plan_gets_a_link_for_the_bytecode_of_each_module(interpreter: Interpreter) -> None:
    site = interpreter.purelib
    links = {
        f"{site}/one.py": "aa/1",
        f"{site}/pkg/__init__.py": "",
        f"{site}/pkg/odd.name.py": "bb/2",
        f"{site}/pkg/broken.py": "cc/3",
        f"{site}/pkg/data.txt": "dd/4",
        f"{site}/brought.py": "ee/5",
        f"{site}/__pycache__/brought.{interpreter.cache_tag}.pyc": "ff/6",
        "bin/script.py": "aa/1",
    }
    plan = make_plan([Link(*link) for link in links.items()], [], [], [])
    pycs = {("aa/1", 0): "11/1", ("aa/1", 2): "11/2", ("", 0): "22/1", ("bb/2", 0): "33/1", ("ee/5", 0): "44/1"}
    extended = with_bytecode(plan, interpreter, pycs)
    tag = interpreter.cache_tag
    assert dict(zip(extended.targets, extended.sources, strict=True)) == links | {
        f"{site}/__pycache__/one.{tag}.pyc": "11/1",
        f"{site}/__pycache__/one.{tag}.opt-2.pyc": "11/2",
        f"{site}/pkg/__pycache__/__init__.{tag}.pyc": "22/1",
        f"{site}/pkg/__pycache__/odd.name.{tag}.pyc": "33/1",
    }
    assert set(modules_of(plan, (site,))) == {target for target in links if target.endswith(".py")} - {"bin/script.py"}
    assert with_bytecode(plan, interpreter, {}) == plan
