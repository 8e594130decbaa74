"""An earlier lock's pins stay, unless an upgrade is asked for; a foreign file has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from wheelstore.resolve.earlier_pins import EarlierPins, earlier_pins
from wheelstore.resolve.pins import LockError

SHA = "a" * 64
LOCK = f"""\
# made by store lock
demo==1.0 \\
    --hash=sha256:{SHA}
Other_Thing[a]==2.0 ; os_name == 'nt'
other-thing==1.5 ; os_name != 'nt'
unpinned>=1
local @ https://h/local-3.0-py3-none-any.whl
"""
PYLOCK = f"""\
lock-version = "1.0"
created-by = "demo"
[[packages]]
name = "demo"
version = "1.0"
wheels = [{{url = "https://h/demo-1.0-py3-none-any.whl", hashes = {{sha256 = "{SHA}"}}}}]
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def versions(found: EarlierPins) -> dict[str, str]:
    return {name: str(version) for name, version in found.preferred.items()}


def test_the_pins_of_both_formats_are_kept(tmp_path: Path) -> None:
    found = earlier_pins(write(tmp_path / "lock.txt", LOCK))
    assert versions(found) == {"demo": "1.0", "other-thing": "2.0"}
    assert [each.path.name for each in found.inputs] == ["lock.txt"]
    assert not found.warnings
    found = earlier_pins(write(tmp_path / "pylock.toml", PYLOCK))
    assert versions(found) == {"demo": "1.0"}
    assert [each.path.name for each in found.inputs] == ["pylock.toml"]


def test_no_file_has_no_pins(tmp_path: Path) -> None:
    assert earlier_pins(tmp_path / "lock.txt") == EarlierPins()
    assert earlier_pins(None) == EarlierPins()


def test_an_upgrade_keeps_nothing_of_what_it_names(tmp_path: Path) -> None:
    lock = write(tmp_path / "lock.txt", LOCK)
    assert earlier_pins(lock, upgrade=True) == EarlierPins()
    found = earlier_pins(lock, upgrade_packages=["Demo<3", "unknown"])
    assert versions(found) == {"other-thing": "2.0"}
    assert [(each.dependency.text, each.origin) for each in found.constraints] == [
        ("Demo<3", "--upgrade-package Demo<3"),
    ]
    assert earlier_pins(None, upgrade=True, upgrade_packages=["demo==2"]).constraints


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("lock.txt", "all sorts of notes\n", "{}:1: 'all sorts of notes' is not a requirement: "),
        ("lock.txt", "demo==1.0\n-r gone.txt\n", "{}:2: -r gone.txt: No such file or directory"),
        ("pylock.toml", "nonsense", "{}:1: is not TOML: "),
        ("pylock.toml", "a = 1", "{}: "),
    ],
)
def test_a_foreign_file_gives_a_warning(tmp_path: Path, name: str, text: str, reason: str) -> None:
    path = write(tmp_path / name, text)
    found = earlier_pins(path)
    assert not found.preferred
    assert len(found.warnings) == 1
    expected = f"{path} is overwritten without keeping its pins, for it is no lock: {reason.format(path)}"
    assert found.warnings[0].startswith(expected)


def test_a_directory_is_no_lock(tmp_path: Path) -> None:
    (warning,) = earlier_pins(tmp_path).warnings
    assert warning.endswith(f"for it is no lock: {tmp_path}: cannot be read: Is a directory")


def test_every_wrong_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(LockError) as caught:
        earlier_pins(tmp_path / "lock.txt", upgrade_packages=["a b", "c=1"])
    end = "is not a requirement: Expected semicolon (after name with no version specifier) or end"
    assert [str(each) for each in caught.value.errors] == [
        f"--upgrade-package: 'a b' {end} at 'b'",
        f"--upgrade-package: 'c=1' {end} at '=1'",
    ]
