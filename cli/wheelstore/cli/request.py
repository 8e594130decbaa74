"""What `store sync` is asked to do; built by the front door or by click, the same for both.

On the warm path: imports nothing but `os`, `sys` and named tuples.
"""

from __future__ import annotations

import os
import sys

from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class SyncRequest(NamedTuple):
    """The options of `store sync` (DESIGN contract, "The command line"), defaults applied, paths absolute."""

    locks: tuple[str, ...]
    venv: str
    store: str
    python: str | None = None
    link_mode: str = "auto"
    compile_bytecode: bool = False
    require_hashes: bool = False
    reinstall: bool = False
    dry_run: bool = False
    clear: bool = False
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    offline: bool = False
    quiet: int = 0
    verbose: int = 0
    json: bool = False
    progress: bool = True


def default_store(environ: Mapping[str, str]) -> str:
    """The store's directory: STORE_DIR, else the user's data directory as platformdirs knows it.

    Linux is worked out here, because importing platformdirs takes longer than a sync with nothing to do.
    """
    if chosen := environ.get("STORE_DIR"):
        return os.path.abspath(os.path.expanduser(chosen))
    if sys.platform.startswith("linux"):
        data = environ.get("XDG_DATA_HOME", "")
        if not os.path.isabs(data):
            data = os.path.expanduser("~/.local/share")
        return os.path.join(data, "wheelstore")
    from platformdirs import user_data_dir

    return user_data_dir("wheelstore", appauthor=False)


_FLAGS = {
    "--require-hashes": "require_hashes",
    "--no-index": "no_index",
    "--offline": "offline",
}
_VALUES = {
    "--venv": "venv",
    "--python": "python",
    "-p": "python",
    "--link-mode": "link_mode",
    "--store": "store",
    "--index-url": "index_url",
    "-i": "index_url",
}
_LISTS = {"--extra-index-url": "extra_index_urls", "--find-links": "find_links", "-f": "find_links"}
_MODES = frozenset({"auto", "clone", "hardlink", "copy"})


def parse_common_sync(arguments: list[str], environ: Mapping[str, str]) -> SyncRequest | None:
    """The request behind an ordinary ``store sync …``; None for anything that click had better look at."""
    options: dict[str, object] = {}
    lists: dict[str, list[str]] = {}
    locks: list[str] = []
    words = iter(arguments)
    seen_command = False
    for word in words:
        if not word.startswith("-"):
            if seen_command:
                locks.append(os.path.abspath(word))
            elif word != "sync":
                return None
            seen_command = True
            continue
        name, equals, value = word.partition("=")
        if name in _FLAGS and not equals:
            options[_FLAGS[name]] = True
        elif word in ("-q", "--quiet"):
            options["quiet"] = 1
        elif word == "--no-progress":
            options["progress"] = False
        elif name in _VALUES or name in _LISTS:
            if not equals:
                following = next(words, None)
                if following is None or following.startswith("-"):
                    return None
                value = following
            if name in _LISTS:
                lists.setdefault(_LISTS[name], []).append(value)
            else:
                options[_VALUES[name]] = value
        else:
            return None
    options.update({key: tuple(values) for key, values in lists.items()})
    return _finished(locks, options, environ)


def _finished(locks: list[str], options: dict[str, object], environ: Mapping[str, str]) -> SyncRequest | None:
    options.setdefault("link_mode", environ.get("STORE_LINK_MODE", "auto"))
    if not locks or options["link_mode"] not in _MODES:
        return None
    options["venv"] = os.path.abspath(str(options.get("venv", ".venv")))
    store = options.get("store")
    options["store"] = os.path.abspath(os.path.expanduser(str(store))) if store else default_store(environ)
    if environ.get("STORE_PYTHON"):
        options.setdefault("python", environ["STORE_PYTHON"])
    return SyncRequest(locks=tuple(locks), **options)  # type: ignore[arg-type]
