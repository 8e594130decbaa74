from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.interpreters import PYTHONS, facts_of

from wheelstore.materialize.bytecode import compile_environment
from wheelstore.materialize.interpreter import Interpreter, InterpreterFailed
from wheelstore.materialize.venv import write_venv


@pytest.fixture
def interpreter() -> Interpreter:
    return facts_of(PYTHONS[0])


def test_every_module_that_compiles_has_bytecode_afterwards(tmp_path: Path, interpreter: Interpreter) -> None:
    root = str(tmp_path / "env")
    write_venv(root, final=root, interpreter=interpreter)
    package = Path(root, interpreter.purelib, "demo")
    package.mkdir()
    (package / "good.py").write_text("answer = 42\n")
    (package / "template.py").write_text("{% not python %}\n")
    os.utime(package / "good.py", (500_000_000, 500_000_000))
    compile_environment(root, interpreter)
    names = os.listdir(package / "__pycache__")
    assert [name.partition(".")[0] for name in names] == ["good"]
    content = (package / "__pycache__" / names[0]).read_bytes()
    assert int.from_bytes(content[8:12], "little") == 500_000_000


def test_an_environment_without_its_interpreter_is_named(tmp_path: Path, interpreter: Interpreter) -> None:
    with pytest.raises(InterpreterFailed, match="cannot be started"):
        compile_environment(str(tmp_path), interpreter)
