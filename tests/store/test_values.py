"""The light `NamedTuple` and the one of `typing`, asked the same questions."""

import copy
import pickle
import subprocess
import typing
from typing import TYPE_CHECKING

import pytest
from support.interpreters import PYTHONS

from wheelstore.store import values

if TYPE_CHECKING:
    from typing import NamedTuple as Light
else:
    Light = values.NamedTuple


class Point(Light):
    """A light one."""

    x: int
    y: int = 5
    name: str | None = None

    @property
    def double(self) -> int:
        return self.x * 2


class TypedPoint(typing.NamedTuple):
    """The model."""

    x: int
    y: int = 5
    name: str | None = None

    @property
    def double(self) -> int:
        return self.x * 2


class Special(Point):
    """One with another method."""

    def total(self) -> int:
        return self.x + self.y


BOTH = pytest.mark.parametrize("point", [Point, TypedPoint])


@BOTH
def test_fields_are_taken_by_position_by_name_or_by_default(point: type[Point]) -> None:
    assert tuple(point(1)) == (1, 5, None)
    assert tuple(point(1, 2, "c")) == (1, 2, "c")
    assert tuple(point(1, name="c")) == (1, 5, "c")
    assert tuple(point(name="c", y=2, x=1)) == (1, 2, "c")
    made = point(1, 2, "c")
    assert (made.x, made.y, made.name, made.double) == (1, 2, "c", 2)


@BOTH
def test_it_is_a_tuple(point: type[Point]) -> None:
    assert point(1, 2) == (1, 2, None)
    assert hash(point(1, 2)) == hash((1, 2, None))
    assert point(1, 2) != point(2, 1)
    assert sorted([point(2, 1, "a"), point(1, 9, "b"), point(1, 2, "c")]) == [(1, 2, "c"), (1, 9, "b"), (2, 1, "a")]
    x, y, name = point(1)
    assert (x, y, name) == (1, 5, None)


@BOTH
def test_wrong_fields_are_refused(point: type[Point]) -> None:
    wrong: list[tuple[tuple[object, ...], dict[str, object]]] = [
        ((), {}),
        ((), {"y": 1}),
        ((1, 2, "c", 4), {}),
        ((1,), {"z": 1}),
        ((1,), {"x": 1}),
        ((1, 2, "c"), {"name": "d"}),
    ]
    for positional, named in wrong:
        with pytest.raises(TypeError):
            point(*positional, **named)  # type: ignore[arg-type]


@BOTH
def test_fields_cannot_be_set(point: type[Point]) -> None:
    with pytest.raises(AttributeError):
        point(1).x = 2  # type: ignore[misc]


@BOTH
def test_replacing_makes_another(point: type[Point]) -> None:
    one = point(1)
    other = one._replace(y=7)
    assert (one, other) == ((1, 5, None), (1, 7, None))
    assert type(other) is point
    with pytest.raises((TypeError, ValueError)):
        one._replace(z=1)  # type: ignore[call-arg]


@BOTH
def test_it_says_what_it_is(point: type[Point]) -> None:
    assert repr(point(1, name="c")) == f"{point.__name__}(x=1, y=5, name='c')"
    assert point._fields == ("x", "y", "name")
    assert point._asdict(point(1)) == {"x": 1, "y": 5, "name": None}
    assert point._make([1, 2, "c"]) == point(1, 2, "c")


@BOTH
def test_it_can_be_copied_and_sent_to_other_processes(point: type[Point]) -> None:
    one = point(1, name="c")
    copies = [copy.copy(one), copy.deepcopy(one), *(pickle.loads(pickle.dumps(one, p)) for p in range(2, 6))]
    assert copies == [one] * 6
    assert {type(each) for each in copies} == {point}


@BOTH
def test_it_can_be_matched(point: type[Point]) -> None:
    match point(1, 2):
        case point(x, 2):
            assert x == 1
        case _:
            pytest.fail("does not match")


def test_a_subclass_keeps_the_fields() -> None:
    assert Special(1).total() == 6
    assert Special(1)._replace(y=2) == (1, 2, None)
    assert type(pickle.loads(pickle.dumps(Special(1)))) is Special


SCRIPT = """
import sys
sys.path[:0] = {path!r}
before = set(sys.modules)
from wheelstore.store.values import NamedTuple
heavy = {{"typing", "dataclasses", "collections", "re", "enum"}} & (set(sys.modules) - before)
class Point(NamedTuple):
    x: int
    y: int = 5
assert Point(1) == Point(x=1, y=5) == (1, 5), Point(1)
assert (Point(1).x, Point(1).y, repr(Point(1))) == (1, 5, "Point(x=1, y=5)")
assert not heavy, heavy
"""


@pytest.mark.parametrize("python", PYTHONS)
def test_every_python_that_can_run_the_tool_makes_the_same_of_it(python: str) -> None:
    check = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if subprocess.run(check, check=False).returncode:
        pytest.skip("too old to run the tool")
    root = values.__file__.rpartition("/wheelstore/")[0]
    subprocess.run([python, "-S", "-E", "-c", SCRIPT.format(path=[root])], check=True)
