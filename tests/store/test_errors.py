"""Every error of the store and of what stands on it, found by import."""

import importlib
import inspect
import pickle
import pkgutil
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from support.interpreters import describe

import wheelstore.materialize
import wheelstore.store
from wheelstore.store.errors import StoreError
from wheelstore.store.refusal import Rule

VALUES: dict[str, Any] = {
    "str": "word",
    "str | None": "word",
    "int": 7,
    "Rule": Rule.CRC,
    "tuple[str, str]": ("one", "two"),
    "tuple[str, ...]": ("one", "two"),
    "Sequence[str]": ("one", "two"),
    "Iterable[str]": ("one", "two"),
    "Sequence[Interpreter]": (describe(),),
    "sqlite3.Error | UnicodeDecodeError": sqlite3.OperationalError("database is locked"),
}


def subclasses(root: type[StoreError]) -> Iterator[type[StoreError]]:
    for child in root.__subclasses__():
        yield child
        yield from subclasses(child)


def all_errors() -> list[type[StoreError]]:
    for package in (wheelstore.store, wheelstore.materialize):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not module.name.rpartition(".")[2].startswith("_"):
                importlib.import_module(module.name)
    return [error for error in subclasses(StoreError) if error.__module__.startswith("wheelstore.")]


def example(error: type[StoreError]) -> StoreError:
    parameters = [*inspect.signature(error.__init__).parameters.values()][1:]
    return error(*(VALUES[one.annotation] for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD))


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.__name__)
def test_an_error_comes_back_from_another_process_as_it_was(error: type[StoreError]) -> None:
    original = example(error)
    original.add_note("beside")
    returned = pickle.loads(pickle.dumps(original))
    assert type(returned) is error
    assert (str(returned), returned.hint, vars(returned)) == (str(original), original.hint, vars(original))


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.__name__)
def test_an_error_is_one_line_that_says_something(error: type[StoreError]) -> None:
    text = str(example(error))
    assert text.strip()
    assert "\n" not in text
