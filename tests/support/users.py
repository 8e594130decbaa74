"""Acting as someone else: what root may do shows little about permissions."""

from __future__ import annotations

import os
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534

needs_root = pytest.mark.skipif(
    os.name == "nt" or os.geteuid() != 0, reason="only root can become another user, or give files away"
)


def as_nobody(action: Callable[[], object]) -> None:
    """Run `action` in a process without root's rights; it fails here if it fails there.

    It can import nothing from places that are root's alone.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking where pytest has threads
        child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, "see the traceback above"


@contextmanager
def public_directory() -> Iterator[Path]:
    """A directory that everyone may enter and read, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="wheelstore-public-") as path:
        os.chmod(path, 0o755)
        yield Path(path)
