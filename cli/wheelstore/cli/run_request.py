"""What `store run` is asked to do: an environment, in words as for a sync, and the command.

On the warm path; as `request`, it imports next to nothing.
"""

from __future__ import annotations

from wheelstore.cli.request import SyncRequest, parse_common_sync
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RunRequest(NamedTuple):
    """The environment that is wanted, which is layered and nowhere, and the `command` to be run in it."""

    sync: SyncRequest
    command: tuple[str, ...]


_WITH_VALUE = frozenset(
    {
        *("--python", "-p", "--optimize", "--store", "--index-url", "-i"),
        *("--extra-index-url", "--find-links", "-f"),
    }
)
_OF_SYNC_ONLY = ("--venv", "--link-mode")


def split_command(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words after ``run`` that are for `store`, and those of the command.

    ``--`` is between the two. Without one, what follows the first lock is the command.
    """
    if "--" in words:
        at = words.index("--")
        return list(words[:at]), list(words[at + 1 :])
    seen_lock, is_value = False, False
    for at, word in enumerate(words):
        if is_value:
            is_value = False
        elif word in _WITH_VALUE:
            is_value = True
        elif not word.startswith("-") or word == "-":
            if seen_lock:
                return list(words[:at]), list(words[at:])
            seen_lock = True
    return list(words), []


def parse_common_run(arguments: list[str], environ: Mapping[str, str]) -> RunRequest | None:
    """The request behind an ordinary ``store run …``; None for anything that click had better look at."""
    at = arguments.index("run")
    own, command = split_command(arguments[at + 1 :])
    if not command or any(word.startswith(_OF_SYNC_ONLY) for word in arguments[: at + 1 + len(own)]):
        return None
    request = parse_common_sync([*arguments[:at], "sync", *own], environ)
    return None if request is None else RunRequest(request._replace(venv="", link_mode="layered"), tuple(command))
