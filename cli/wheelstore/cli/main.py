"""The click commands: options and help; what they do is in the module of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from wheelstore.cli.console import report
from wheelstore.cli.front import interrupted
from wheelstore.cli.request import SyncRequest, default_store
from wheelstore.resolve.errors import ResolveError
from wheelstore.store.errors import StoreError

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


class Common(dict[str, Any]):
    """The common options, which stand before or after the subcommand; what stands after wins, lists add up."""

    def merged(self, later: dict[str, Any]) -> Common:
        """These with those given after the subcommand."""
        merged = Common(self)
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


def take_common(context: click.Context, options: dict[str, Any]) -> Common:
    """Move the common options out of `options`, merged with those before the subcommand."""
    later = {name: options.pop(name) for name in _COMMON_NAMES}
    before = context.obj if isinstance(context.obj, Common) else Common()
    return before.merged(later)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.version_option(package_name="wheelstore", prog_name="store", message="store %(version)s")
@common_options
@click.pass_context
def cli(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Environments in milliseconds, out of one store of unpacked wheels."""
    context.obj = Common().merged(options)


@cli.command()
@click.argument("locks", nargs=-1, required=True, metavar="LOCK...")
@click.option("--venv", default=".venv", show_default=True, metavar="PATH", help="The environment to make or change.")
@click.option("-p", "--python", envvar="STORE_PYTHON", metavar="PY", help="A path, a name or a version.")
@click.option(
    "--link-mode",
    type=click.Choice(["auto", "clone", "hardlink", "copy"]),
    default="auto",
    envvar="STORE_LINK_MODE",
    show_default=True,
    help="How files get from the store into the environment.",
)
@click.option("--require-hashes", is_flag=True, help="Refuse a lock in which any pin has no hash.")
@click.option("--reinstall", is_flag=True, help="Make every file anew.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option("--clear", is_flag=True, help="Replace whatever is at the environment's path.")
@common_options
@click.pass_context
def sync(context: click.Context, /, locks: tuple[str, ...], venv: str, **options: Any) -> None:  # noqa: ANN401
    """Make an environment exactly what LOCK says.

    LOCK is a requirements.txt with == pins (and, better, hashes), or a pylock.toml (PEP 751).
    """
    common = take_common(context, options)
    request = SyncRequest(
        locks=tuple(lock if lock == "-" else os.path.abspath(lock) for lock in locks),
        venv=os.path.abspath(venv),
        **options,
        **request_options(common),
    )
    from wheelstore.cli.syncing import run_sync

    run_sync(request, started=context.find_root().meta["started"])


def request_options(common: Common) -> dict[str, Any]:
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


def run(arguments: list[str], started: float) -> int:
    """Run the command line; the exit status. Errors become one line each on stderr, never a traceback."""
    try:
        with cli.make_context("store", arguments) as context:
            context.meta["started"] = started
            cli.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        return _usage(error)
    except click.ClickException as error:
        sys.stderr.write(f"error: {error.format_message()}\n")
        return 1
    except (StoreError, ResolveError) as error:
        report(error)
        return 1
    except (KeyboardInterrupt, click.Abort):
        return interrupted()
    except BrokenPipeError:
        # Whoever read our output has enough of it; keep Python from saying so at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        sys.stderr.write(f"error: {error.strerror or error}{f': {error.filename}' if error.filename else ''}\n")
        return 1
    return 0


def _usage(error: click.UsageError) -> int:
    sys.stderr.write(f"error: {' '.join(error.format_message().split())}\n")
    if error.ctx is not None:
        sys.stderr.write(f"hint: {error.ctx.command_path} --help lists what there is\n")
    return 2
