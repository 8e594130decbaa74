from __future__ import annotations

from importlib.metadata import version

from wheelstore.store.version import VERSION


def test_the_version_is_the_distributions() -> None:
    assert version("wheelstore") == VERSION
