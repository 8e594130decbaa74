"""A short run of `tests/stress.py`, and that it would notice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.exactness import contents_of, differences
from support.wheels import make_wheel

SCRIPT = Path(__file__).parents[1] / "stress.py"


def test_many_commands_at_once_go_well() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--seconds", "8"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    counts = json.loads(done.stdout)
    assert counts["sync"] >= 8
    assert min(counts["gc"], counts["verify"]) >= 3


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--seconds", "60", "--loop", "ls --nonsense", "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "store ls --nonsense" in done.stderr
    assert "exit 2" in done.stderr


def test_environments_that_are_not_their_wheels_are_noticed(tmp_path: Path) -> None:
    site = tmp_path / "env" / "lib" / "python3.12" / "site-packages"
    files = {"demo/one.py": b"one = 1\n", "demo/two.py": b"two = 2\n"}
    wheel = make_wheel(tmp_path, files=files, data={"purelib/three.py": b"three = 3\n"})
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel], check=True)
    contents = contents_of(wheel)
    assert differences(tmp_path / "env", [contents]) == []
    (site / "demo" / "one.py").write_bytes(b"one = 9\n")
    (site / "demo" / "two.py").unlink()
    (site / "four.py").write_bytes(b"")
    assert differences(tmp_path / "env", [contents]) == [
        "RECORD is wrong about demo/one.py",
        "altered: demo/one.py",
        "extra: four.py",
        "in RECORD, but No such file or directory: demo/two.py",
        "missing: demo/two.py",
    ]
