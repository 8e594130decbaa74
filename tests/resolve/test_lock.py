"""Locks as a whole: several files, one reading; then one target."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import default_environment
from packaging.version import Version

from wheelstore.resolve import lock as lock_module
from wheelstore.resolve.lock import Conflict, Lock, LockError, NotCovered, NotPinned, Pin, read_lock
from wheelstore.resolve.pylock import read_pylock

A, B, C = (f"sha256:{digit * 64}" for digit in "abc")
MARKERS: dict[str, str] = {
    **cast("dict[str, str]", default_environment()),
    "python_full_version": "3.12.1",
    "python_version": "3.12",
    "os_name": "posix",
}
PYLOCK = 'lock-version = "1.0"\ncreated-by = "test"\n'

Write = Callable[..., Lock]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write `a_txt="…"` as `a.txt` and read all of them as one lock, from the directory they are in."""
    monkeypatch.chdir(tmp_path)

    def read(
        *,
        environ: dict[str, str] | None = None,
        require_hashes: bool = False,
        stdin: bytes | None = None,
        paths: list[str] | None = None,
        **files: str,
    ) -> Lock:
        for name, text in files.items():
            Path(name.replace("_", ".")).write_text(text)
        return read_lock(
            [Path(each) for each in paths or [name.replace("_", ".") for name in files]],
            environ=environ or {},
            require_hashes=require_hashes,
            stdin=stdin,
            directory=tmp_path,
        )

    return read


def spellings(pins: Iterable[Pin]) -> list[str]:
    return [pin.spelling for pin in pins]


def failures(read: Callable[..., object], *arguments: object, **options: object) -> list[str]:
    with pytest.raises(LockError) as caught:
        read(*arguments, **options)
    return [str(error) for error in caught.value.errors]


def package(name: str, *, version: str = "1.0", extra: str = "", digest: str = "a") -> str:
    filename = f"{name}-{version}-py3-none-any.whl"
    return (
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\n{extra}\n'
        f'wheels = [{{url = "https://h/{filename}", hashes = {{sha256 = "{digest * 64}"}}}}]\n'
    )


# Reading


def test_several_files_are_one_lock(write: Write) -> None:
    lock = write(
        a_txt="--index-url https://h/${NAME}\nb==1\n",
        b_txt="--pre\na==2 ; os_name == 'posix'\n",
        pylock_toml=PYLOCK + package("c"),
        environ={"NAME": "simple"},
    )
    assert spellings(lock.pins) == ["b==1", "a==2", "c==1.0"]
    assert spellings(lock.for_target(MARKERS)) == ["a==2", "b==1", "c==1.0"]
    assert (lock.options.index_url, lock.options.pre) == ("https://h/simple", True)
    assert [str(entry.path) for entry in lock.inputs] == ["a.txt", "b.txt", "pylock.toml"]
    assert lock.environment_names == {"NAME"}
    assert [each.position.file for each in lock.coverage] == ["pylock.toml"]


def test_names_of_unset_variables_are_told_too(write: Write) -> None:
    assert write(a_txt="--index-url https://${USER_1}@h\n").environment_names == {"USER_1"}


def test_what_a_user_should_know_is_a_warning(write: Write) -> None:
    lock = write(a_txt="a==1\n", pylock_toml=PYLOCK.replace("1.0", "1.7") + package("c"))
    assert len(lock.warnings) == 1
    assert "lock-version 1.7" in lock.warnings[0]
    assert lock.pins[1].name == "c"


def test_standard_input_is_a_lock(write: Write) -> None:
    lock = write(paths=["-"], stdin=b"a==1\n")
    assert str(lock.pins[0].position) == "<stdin>:1"
    assert write(paths=["-"]).pins == ()


def test_all_errors_of_all_files_are_raised_at_once(write: Write) -> None:
    unpinned, first, *rest = failures(
        write,
        a_txt="a>=1\nb=1\n",
        pylock_toml=PYLOCK,
        paths=["a.txt", "pylock.toml", "missing.txt", "uv.lock", "pyproject.toml"],
    )
    assert unpinned == "a.txt:1: a>=1 is not pinned with =="
    assert first.startswith("a.txt:2: 'b=1' is not a requirement: ")
    assert rest == [
        "pylock.toml: Missing required value in packages",
        "missing.txt: cannot be read: No such file or directory",
        "uv.lock: is not a lock that can be installed",
        "pyproject.toml: is not a lock that can be installed",
    ]


def test_the_locks_of_other_tools_have_a_way_out(write: Write) -> None:
    with pytest.raises(LockError) as caught:
        write(paths=["uv.lock", "some.toml"])
    assert [error.hint for error in caught.value.errors] == [
        "'uv export -o pylock.toml' writes one",
        "a PEP 751 lock is named pylock.toml or pylock.NAME.toml",
    ]


def test_an_unpinned_line_is_an_error_unless_a_constraint_pins_it(write: Write) -> None:
    with pytest.raises(NotPinned):
        write(a_txt="a\n")
    lock = write(a_txt="-c c.txt\na\n", c_txt="a==1\n", paths=["a.txt"])
    assert spellings(lock.pins) == ["a==1"]


def test_a_constraint_that_contradicts_is_an_error(write: Write) -> None:
    with pytest.raises(Conflict) as caught:
        write(a_txt="a==1\n-c c.txt\n", c_txt="\na==2\n", paths=["a.txt"])
    assert str(caught.value) == "a.txt:1: a==1 contradicts its constraint a==2 (c.txt:2)"
    assert str(caught.value.other) == "c.txt:2"


def test_two_versions_of_one_name_are_an_error(write: Write) -> None:
    assert failures(write, a_txt="A.b==1\na-B==1.0\na_b==2\n") == ["a.txt:3: a-b==2 contradicts a-b==1 (a.txt:1)"]


def test_two_sources_of_one_name_are_an_error(write: Write) -> None:
    assert failures(write, a_txt="a==1\na @ https://h/a-1.zip\n") == [
        "a.txt:2: a @ https://h/a-1.zip contradicts a==1 (a.txt:1)"
    ]


# Hashes


def test_one_hash_demands_all(write: Write) -> None:
    assert failures(write, a_txt=f"a==1\nb==1 --hash={A}\nc @ git+https://h/c@v1\n") == [
        "a.txt:1: a==1 has no hash, unlike a.txt:2",
        "a.txt:3: c @ git+https://h/c@v1 is a checkout that no hash can prove, unlike a.txt:2",
    ]


def test_no_require_hashes_lifts_that(write: Write) -> None:
    lock = write(a_txt=f"--no-require-hashes\na==1\nb==1 --hash={A}\n")
    assert not lock.options.require_hashes


@pytest.mark.parametrize("options", [{"require_hashes": True}, {"b_txt": "--require-hashes\n"}])
def test_hashes_can_be_demanded(write: Write, options: dict[str, Any]) -> None:
    assert failures(write, a_txt="a==1\n", **options) == ["a.txt:1: a==1 has no hash, and --require-hashes demands one"]
    assert write(a_txt=f"a==1 --hash={A}\n", **options).options.require_hashes


def test_a_fragment_or_a_constraint_can_bring_the_hash(write: Write) -> None:
    text = f"-c c.txt\na==1\nb @ https://h/b-1.zip#sha256={'b' * 64}\n"
    lock = write(a_txt=text, c_txt=f"a==1 --hash={A}\n", paths=["a.txt"])
    assert [pin.hashes for pin in lock.pins] == [(A,), (B,)]
    assert lock.options.require_hashes


def test_hashes_of_a_requirements_file_demand_none_of_a_pylock(write: Write) -> None:
    text = PYLOCK + '[[packages]]\nname = "d"\ndirectory = {path = "d"}\n'
    assert len(write(a_txt=f"a==1 --hash={A}\n", pylock_toml=text).pins) == 2
    (failure,) = failures(write, a_txt=f"a==1 --hash={A}\n", pylock_toml=text, require_hashes=True)
    assert failure.startswith("pylock.toml:3: d @ ")


# Targets


def test_markers_choose(write: Write) -> None:
    lock = write(a_txt="a==1 ; python_version < '3.12'\na==2 ; python_version >= '3.12'\nb==1 ; os_name == 'nt'\n")
    assert spellings(lock.for_target(MARKERS)) == ["a==2"]
    older = {**MARKERS, "python_version": "3.11", "python_full_version": "3.11.0"}
    assert spellings(lock.for_target(older)) == ["a==1"]


def test_markers_that_overlap_are_a_conflict_there(write: Write) -> None:
    lock = write(a_txt="a==1 ; python_version > '3'\nb==1\na==2 ; python_version > '3.9'\n")
    assert failures(lock.for_target, MARKERS) == ["a.txt:3: a==2 contradicts a==1 (a.txt:1)"]


def test_equal_duplicates_become_one_pin(write: Write) -> None:
    lock = write(a_txt=f"a[x]==1 --hash={B}\n\na[y]==1.0 --hash={A} -C k=v\na==1 --hash={B} -C k=v\n")
    (pin,) = lock.for_target(MARKERS)
    assert (set(pin.extras), pin.hashes, pin.position.line) == ({"x", "y"}, (A, B), 1)
    assert pin.config_settings == (("k", "v"),)


DUPLICATES = st.permutations(
    [f"a[x]==1 --hash={A}", f"a==1 --hash={B}", f"A[y]==1.0 --hash={C}", f"b==2 --hash={A}", f"b[z]==2 --hash={A}"]
)


@given(DUPLICATES)
def test_merging_does_not_depend_on_order(lines: list[str]) -> None:
    lock = read_lock([Path("-")], environ={}, stdin="\n".join(lines).encode())
    a, b = lock.for_target(MARKERS)
    assert (a.name, a.version, set(a.extras), a.hashes) == ("a", Version("1"), {"x", "y"}, (A, B, C))
    assert (b.name, b.version, set(b.extras), b.hashes) == ("b", Version("2"), {"z"}, (A,))


def test_a_constraint_with_a_marker_waits_for_the_target(write: Write) -> None:
    constraints = "a==1 ; python_version < '3.12'\na==2 ; python_version >= '3.12'\nb<1 ; os_name == 'nt'\n"
    lock = write(a_txt="-c c.txt\na\nb==1\n", c_txt=constraints, paths=["a.txt"])
    assert spellings(lock.for_target(MARKERS)) == ["a==2", "b==1"]
    assert failures(lock.for_target, {**MARKERS, "os_name": "nt"}) == [
        "a.txt:3: b==1 contradicts its constraint b<1 (c.txt:3)"
    ]


def test_what_no_constraint_pins_there_is_not_pinned(write: Write) -> None:
    lock = write(
        a_txt="-c c.txt\na\nb ; os_name == 'nt'\n",
        c_txt="a==1 ; os_name == 'nt'\nb==1 ; os_name == 'nt'\n",
        paths=["a.txt"],
    )
    assert failures(lock.for_target, MARKERS) == ["a.txt:2: a is not pinned with =="]
    assert spellings(lock.for_target({**MARKERS, "os_name": "nt"})) == ["a==1", "b==1"]


def test_what_a_constraint_pins_there_needs_its_hash_too(write: Write) -> None:
    lock = write(a_txt="-c c.txt\na\n", c_txt="a==1 ; os_name == 'posix'\n", paths=["a.txt"], require_hashes=True)
    assert failures(lock.for_target, MARKERS) == ["a.txt:2: a==1 has no hash, and --require-hashes demands one"]


def test_a_pylocks_directory_needs_no_hash_there_either(write: Write) -> None:
    lock = write(
        a_txt=f"-c c.txt\na==1 --hash={A}\n",
        c_txt="a==1 ; os_name == 'posix'\n",
        pylock_toml=PYLOCK + '[[packages]]\nname = "d"\ndirectory = {path = "d"}\n',
        paths=["a.txt", "pylock.toml"],
    )
    assert [pin.name for pin in lock.for_target(MARKERS)] == ["a", "d"]


def test_a_marker_that_cannot_be_evaluated_is_an_error(write: Write) -> None:
    lock = write(a_txt="a==1 ; 'x' in extras\nb==1 ; os_name ~= 'y'\n")
    assert [each.split(": the marker")[0] for each in failures(lock.for_target, MARKERS)] == ["a.txt:1", "a.txt:2"]


def test_extras_and_groups_choose_in_a_pylock(write: Write) -> None:
    head = PYLOCK + 'extras = ["x"]\ndependency-groups = ["dev"]\ndefault-groups = ["dev"]\n'
    lock = write(
        pylock_toml=head
        + package("a", extra="marker = \"'x' in extras\"")
        + package("b", extra="marker = \"'dev' in dependency_groups\"")
    )
    assert spellings(lock.for_target(MARKERS)) == ["b==1.0"]
    assert spellings(lock.for_target(MARKERS, extras=["x"], groups=[])) == ["a==1.0"]
    assert failures(lock.for_target, MARKERS, extras=["y"]) == ["pylock.toml: offers no extra 'y'"]


def test_a_pylock_for_others_is_not_covered(write: Write) -> None:
    lock = write(pylock_toml=PYLOCK + "environments = [\"os_name == 'nt'\"]\n" + package("a"))
    with pytest.raises(NotCovered, match="is for other environments"):
        lock.for_target(MARKERS)


def test_a_package_for_another_python_is_not_covered(write: Write) -> None:
    lock = write(
        pylock_toml=PYLOCK
        + package("a", extra="requires-python = '>=3.13'")
        + package("b", extra="requires-python = '>=3.13'\nmarker = \"os_name == 'nt'\"")
    )
    assert failures(lock.for_target, MARKERS) == ["pylock.toml:3: a==1.0 is for Python >=3.13, not for 3.12.1"]


def test_a_pylock_may_not_say_a_name_twice_for_one_target(write: Write) -> None:
    here = "marker = \"os_name == 'posix'\""
    lock = write(pylock_toml=PYLOCK + package("a", extra=here) + package("a", extra=here, digest="b"))
    assert failures(lock.for_target, MARKERS) == ["pylock.toml:8: a==1.0 contradicts a==1.0 (pylock.toml:3)"]
    assert failures(write, pylock_toml=PYLOCK + package("a") + package("a")) == [
        "pylock.toml:8: a==1.0 contradicts a==1.0 (pylock.toml:3)"
    ]


@pytest.mark.parametrize("paths", [["pylock.toml", "a.txt"], ["a.txt", "pylock.toml"]])
def test_a_pylock_and_a_requirements_file_may_agree(write: Write, paths: list[str]) -> None:
    lock = write(
        pylock_toml=PYLOCK + package("a", extra='index = "https://h/simple"'),
        a_txt=f"a==1.0 --hash={B}\n",
        paths=paths,
    )
    (pin,) = lock.for_target(MARKERS)
    assert pin.hashes == (A, B)
    assert len(pin.artifacts) == 1
    assert pin.index == "https://h/simple"


# Whatever comes in


FRAGMENTS = (
    "a|==|1|[|]| |;|@|-e |-r |-c |-f |--hash=|sha256:|#egg=|&subdirectory=|https://|git+|file:|file://|/|\\|.|..|\n|\0|\ud800"
    "|'|\"|${A}|:|%00|~|os_name| == |--|-i|=|>|,|#|é|\ufeff|[::1|.whl|.zip|-1-py3-none-any.whl"
)
PIECES = st.sampled_from(FRAGMENTS.split("|"))


@settings(max_examples=500)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_text_is_a_lock_or_a_lock_error(text: str) -> None:
    data, found = text.encode(errors="surrogatepass"), ""
    try:
        read_lock([Path("-")], environ={"A": "x"}, stdin=data, directory=Path("/nowhere")).for_target(MARKERS)
    except LockError as error:
        found = "".join(map(str, error.errors))
    assert "\n" not in found


@given(st.binary(max_size=60))
def test_any_bytes_are_a_lock_or_a_lock_error(data: bytes) -> None:
    with suppress(LockError):
        read_lock([Path("-")], environ={}, stdin=data).for_target(MARKERS)


SCALARS = "'a' '1.0' '' 1 true 1979-05-27 \"os_name=='x'\" '../a' 'https://[::1' '\0'"
PACKAGE_KEYS = "name version marker wheels sdist archive vcs directory index"
LOCK_KEYS = "lock-version requires-python environments extras default-groups dependency-groups packages tool x"
FILE_KEYS = "name url path hashes sha256 size type commit-id editable kind"
VALUES = st.recursive(
    st.sampled_from(SCALARS.split()),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(st.sampled_from(FILE_KEYS.split()), inner, max_size=3).map(
            lambda items: f"{{{', '.join(f'{key} = {value}' for key, value in items.items())}}}"
        )
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(f"{LOCK_KEYS} {PACKAGE_KEYS}".split())


@settings(max_examples=300)
@given(st.dictionaries(KEYS, VALUES, max_size=3), st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_toml_is_a_lock_or_a_lock_error(top: dict[str, str], package: dict[str, str]) -> None:
    head = {"lock-version": "'1.0'", "created-by": "'x'"} | top
    body = {"name": "'a'"} | package
    text = "".join(f"{key} = {value}\n" for key, value in head.items())
    text += "[[packages]]\n" + "".join(f"{key} = {value}\n" for key, value in body.items())
    with suppress(LockError):
        read_pylock(Path("pylock.toml"), text.encode())


# The real thing


@pytest.mark.parametrize("name", ["jupyter.txt", "portable.txt", "trio-docs.txt"])
def test_the_example_locks_are_read(name: str) -> None:
    path = Path(__file__).parents[2] / "examples" / name
    lock = read_lock([path], environ={})
    text = path.read_text()
    assert sum(len(pin.hashes) for pin in lock.pins) == text.count("--hash=")
    assert lock.options.require_hashes
    assert len(lock.for_target(MARKERS)) >= 20


def test_a_common_lock_loads_no_more_than_it_needs(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    spared = ("statements", "requirement", "references", "pylock")
    for name in spared:
        monkeypatch.delitem(sys.modules, f"wheelstore.resolve.{name}", raising=False)
    lock = write(a_txt=f"# x\na==1 --hash={A}\n    # via b\n")
    assert isinstance(lock.for_target(MARKERS), tuple)
    assert not [name for name in spared if f"wheelstore.resolve.{name}" in sys.modules]


def test_the_public_names_are_importable() -> None:
    assert all(hasattr(lock_module, name) for name in lock_module.__all__)
    assert Lock.__doc__
