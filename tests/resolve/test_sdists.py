from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from wheelstore.resolve import sdists
from wheelstore.resolve.sdists import BadSdist, unpack_sdist

Member = tuple[tarfile.TarInfo, bytes]


def entry(name: str, body: bytes = b"", **attributes: object) -> Member:
    member = tarfile.TarInfo(name)
    member.size = len(body)
    for attribute, value in attributes.items():
        setattr(member, attribute, value)
    return member, body


def tar(path: Path, *members: Member, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as out:  # type: ignore[call-overload]
        for member, body in members:
            out.addfile(member, io.BytesIO(body))
    return path


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz", ""])
def test_a_tar_is_unpacked_whatever_its_compression_and_name(tmp_path: Path, compression: str) -> None:
    archive = tar(tmp_path / "download", entry("demo-1.0/a/setup.py", b"code"), mode=f"w:{compression}")
    top = unpack_sdist(archive, tmp_path / "out")
    assert (top.name, (top / "a" / "setup.py").read_bytes()) == ("demo-1.0", b"code")


def test_a_zip_is_unpacked_with_its_programs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "demo.zip", "w") as out:
        program = zipfile.ZipInfo("demo-1.0/run")
        program.external_attr = 0o100755 << 16
        out.writestr(program, b"#!")
        out.writestr("demo-1.0/empty/", b"")
    top = unpack_sdist(tmp_path / "demo.zip", tmp_path / "out")
    assert (top / "run").stat().st_mode & 0o111
    assert (top / "empty").is_dir()


def test_links_within_are_kept(tmp_path: Path) -> None:
    link = entry("demo/sub/link", type=tarfile.SYMTYPE, linkname="../file")
    top = unpack_sdist(tar(tmp_path / "a.tar.gz", entry("demo/file", b"x"), link), tmp_path / "out")
    assert (top / "sub" / "link").read_bytes() == b"x"


@pytest.mark.parametrize(
    "bad",
    [
        entry("/etc/passwd"),
        entry("demo/../../out"),
        entry("C:/x"),
        entry("..\\x"),
        entry("demo/link", type=tarfile.SYMTYPE, linkname="../../elsewhere"),
        entry("demo/link", type=tarfile.SYMTYPE, linkname="/etc"),
        entry("demo/link", type=tarfile.LNKTYPE, linkname="../elsewhere"),
        entry("demo/device", type=tarfile.CHRTYPE),
        entry("demo/pipe", type=tarfile.FIFOTYPE),
    ],
    ids=lambda member: f"{member[0].name}-{member[0].linkname}",
)
def test_what_leads_out_and_devices_are_refused(tmp_path: Path, bad: Member) -> None:
    archive = tar(tmp_path / "demo-1.0.tar.gz", entry("demo/setup.py"), bad)
    with pytest.raises(BadSdist, match=r"^demo-1\.0\.tar\.gz is not a usable source distribution"):
        unpack_sdist(archive, tmp_path / "in" / "out")
    assert {path.name for path in (tmp_path / "in").rglob("*")} <= {"out", "demo", "setup.py"}


def test_a_zip_that_leads_out_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "demo.zip", "w") as out:
        out.writestr("demo/a", b"")
        out.writestr("../b", b"")
    with pytest.raises(BadSdist, match="leads out"):
        unpack_sdist(tmp_path / "demo.zip", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "demo.zip", "w") as out:
        link = zipfile.ZipInfo("demo/link")
        link.external_attr = 0o120777 << 16
        out.writestr(link, b"/etc")
    with pytest.raises(BadSdist, match="is a link"):
        unpack_sdist(tmp_path / "demo.zip", tmp_path / "out")


@pytest.mark.parametrize("names", [["a/x", "b/x"], ["setup.py"], []])
def test_there_is_one_directory_at_the_top(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(BadSdist, match="instead of one directory"):
        unpack_sdist(tar(tmp_path / "a.tar.gz", *map(entry, names)), tmp_path / "out")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def _scribble(path: Path) -> None:
    path.write_bytes(b"<html>not found</html>")


@pytest.mark.parametrize("damage", [_cut, _scribble])
def test_a_damaged_archive_is_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    archive = tar(tmp_path / "a.tar.gz", entry("demo/file", bytes(range(256)) * 9))
    damage(archive)
    with pytest.raises(BadSdist):
        unpack_sdist(archive, tmp_path / "out")


def test_an_archive_that_grows_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdists, "LARGEST", 100)
    with pytest.raises(BadSdist, match="more than 100 bytes"):
        unpack_sdist(tar(tmp_path / "a.tar.gz", entry("demo/zeros", bytes(101))), tmp_path / "out")
