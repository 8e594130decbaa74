"""The options that every command takes, before or after its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from wheelstore.cli.request import default_store

F = TypeVar("F", bound=Callable[..., Any])

_COMMON: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--store",), {"metavar": "DIR", "help": "The store's directory (STORE_DIR)."}),
    (("-i", "--index-url", "index_url"), {"metavar": "URL", "help": "The package index, instead of pip's."}),
    (("--extra-index-url", "extra_index_urls"), {"metavar": "URL", "multiple": True, "help": "A further index."}),
    (("-f", "--find-links", "find_links"), {"metavar": "PATH", "multiple": True, "help": "A directory or page."}),
    (("--no-index",), {"is_flag": True, "default": None, "help": "Ask no index, only --find-links."}),
    (("--offline",), {"is_flag": True, "default": None, "help": "Use no network."}),
    (("-q", "--quiet"), {"count": True, "help": "Say less; twice: errors only."}),
    (("-v", "--verbose"), {"count": True, "help": "Say more."}),
    (("--no-progress", "no_progress"), {"is_flag": True, "default": None, "help": "Show no progress bar."}),
    (("--json", "as_json"), {"is_flag": True, "default": None, "help": "Report as JSON on stdout."}),
)


_COMMON_NAMES = (
    *("store", "index_url", "extra_index_urls", "find_links", "no_index", "offline"),
    *("quiet", "verbose", "no_progress", "as_json"),
)


class CommonWords(dict[str, Any]):
    """The common options, which stand before or after the subcommand; what stands after wins, lists add up."""

    def merged(self, later: dict[str, Any]) -> CommonWords:
        """These with those given after the subcommand."""
        merged = CommonWords(self)
        for name, value in later.items():
            if isinstance(value, tuple):
                merged[name] = (*merged.get(name, ()), *value)
            elif name in ("quiet", "verbose"):
                merged[name] = merged.get(name, 0) + value
            elif value is not None:
                merged[name] = value
        return merged

    @property
    def store(self) -> str:
        """The store's directory, absolute."""
        given = self.get("store")
        return os.path.abspath(os.path.expanduser(given)) if given else default_store(os.environ)


def common_options(function: F) -> F:
    """Give a command the options that every command takes."""
    for names, settings in reversed(_COMMON):
        function = click.option(*names, **settings)(function)
    return function


def take_common(context: click.Context, options: dict[str, Any]) -> CommonWords:
    """Move the common options out of `options`, merged with those before the subcommand."""
    later = {name: options.pop(name) for name in _COMMON_NAMES}
    before = context.obj if isinstance(context.obj, CommonWords) else CommonWords()
    return before.merged(later)


def started(context: click.Context) -> float:
    """When the command began, by `time.perf_counter`."""
    return float(context.find_root().meta["started"])


def request_options(common: CommonWords) -> dict[str, Any]:
    """The common options as `SyncRequest` names them."""
    return {
        "store": common.store,
        "index_url": common.get("index_url"),
        "extra_index_urls": tuple(common.get("extra_index_urls", ())),
        "find_links": tuple(common.get("find_links", ())),
        "no_index": bool(common.get("no_index")),
        "offline": bool(common.get("offline")),
        "quiet": common.get("quiet", 0),
        "verbose": common.get("verbose", 0),
        "json": bool(common.get("as_json")),
        "progress": not common.get("no_progress"),
    }


_LEVELS = ("0", "1", "2")


def bytecode_options(function: F) -> F:
    """Give a command the options that say which bytecode an environment is to have."""
    function = click.option(
        "--optimize",
        type=click.Choice(_LEVELS),
        multiple=True,
        callback=lambda _context, _option, levels: tuple(map(int, levels)),
        help="Compile for this level of optimisation, python -O is 1; may be given more than once.  [default: 0]",
    )(function)
    return click.option(
        "--compile-bytecode/--no-compile-bytecode",
        default=None,
        envvar="STORE_COMPILE_BYTECODE",
        help="Have bytecode for every module, compiled once for all environments; they keep what was last said.",
    )(function)


python_option = click.option("-p", "--python", envvar="STORE_PYTHON", metavar="PY", help="A path, a name or a version.")
"""Which Python an environment is for."""
