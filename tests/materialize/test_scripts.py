import os
import subprocess
import sys
from pathlib import Path

import pytest

from wheelstore.materialize.scripts import entry_point, rewrite, shebang


def test_an_ordinary_interpreter_is_named_directly() -> None:
    assert shebang("/env/bin/python") == "#!/env/bin/python\n"


@pytest.mark.skipif(os.name == "nt", reason="no #! lines there")
@pytest.mark.parametrize("name", ["plain", "with space", "it's", 'quo"te $HOME', "l" * 140, "ünï"])
def test_a_script_runs_whatever_its_interpreter_s_path(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    python = directory / "python"
    python.symlink_to(sys.executable)
    script = directory / "tool"
    script.write_text(shebang(str(python)) + entry_point("platform", "python_implementation"))
    script.chmod(0o755)
    run = subprocess.run([script], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (1, "CPython\n")


def test_an_attribute_of_an_attribute_is_called() -> None:
    assert "from a.b import C\n" in entry_point("a.b", "C.run")
    assert "sys.exit(C.run())" in entry_point("a.b", "C.run")


def test_a_wheel_s_own_script_gets_its_first_line_replaced() -> None:
    assert rewrite(b"#!python\nprint(1)\n", "/e/bin/python") == b"#!/e/bin/python\nprint(1)\n"
    assert rewrite(b"#!pythonw -E\r\nx", "/e/bin/python") == b"#!/e/bin/python\nx"
    assert rewrite(b"#!python", "/e/bin/python") == b"#!/e/bin/python\n"
