"""The click commands: options and help; what they do is in the module of each."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from wheelstore.cli.console import explain, fail
from wheelstore.cli.front import interrupted
from wheelstore.cli.request import AddRequest, Common, SyncRequest, VenvRequest, default_store
from wheelstore.store.version import VERSION

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


class Commands(click.Group):
    """The commands, and what to say of one that there is not."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first of `args` names."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise UnknownCommand(args[0], difflib.get_close_matches(args[0], self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)


class UnknownCommand(click.UsageError):
    """There is no such command; `possibilities` have similar names."""

    def __init__(self, name: str, possibilities: list[str], ctx: click.Context) -> None:
        super().__init__(f"There is no command {name!r}", ctx)
        self.possibilities = possibilities


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.version_option(VERSION, "-V", "--version", prog_name="store", message="store %(version)s")
@common_options
@click.pass_context
def cli(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Environments in milliseconds, out of one store of unpacked wheels."""
    context.obj = CommonWords().merged(options)


_python = click.option("-p", "--python", envvar="STORE_PYTHON", metavar="PY", help="A path, a name or a version.")


@cli.command()
@click.argument("locks", nargs=-1, required=True, metavar="LOCK...")
@click.option("--venv", default=".venv", show_default=True, metavar="PATH", help="The environment to make or change.")
@_python
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
@click.option("--compile-bytecode", is_flag=True, help="Compile every module now, rather than at its first import.")
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

    run_sync(request, started=_started(context))


@cli.command()
@click.argument("path", default=".venv", metavar="[PATH]")
@_python
@click.option("--seed", is_flag=True, help="Put pip into it (before Python 3.12 setuptools and wheel, too).")
@click.option("-c", "--clear", is_flag=True, help="Replace whatever is at PATH.")
@click.option("--prompt", metavar="TEXT", help="What shells show while it is active; '.' is the directory's name.")
@click.option("--system-site-packages", is_flag=True, help="Let it see what the Python itself has installed.")
@common_options
@click.pass_context
def venv(context: click.Context, /, path: str, **options: Any) -> None:  # noqa: ANN401
    """Make a virtual environment at PATH (.venv) with nothing in it."""
    common = Common(**request_options(take_common(context, options)))
    from wheelstore.cli.venvs import run_venv

    run_venv(VenvRequest(path=os.path.abspath(path), common=common, **options), started=_started(context))


@cli.command()
@click.argument("items", nargs=-1, required=True, metavar="WHEEL|LOCK...")
@_python
@click.option("--require-hashes", is_flag=True, help="Refuse a lock in which any pin has no hash.")
@common_options
@click.pass_context
def add(context: click.Context, /, items: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """Get wheels into the store: files, URLs, or all that a LOCK means for --python."""
    common = Common(**request_options(take_common(context, options)))
    from wheelstore.cli.adding import run_add

    run_add(AddRequest(items=items, common=common, **options), started=_started(context))


@cli.command()
@click.argument("name", required=False)
@common_options
@click.pass_context
def ls(context: click.Context, /, name: str | None, **options: Any) -> None:  # noqa: ANN401
    """List the wheels in the store, or those of the project NAME."""
    common = take_common(context, options)
    from wheelstore.cli.listing import list_wheels

    list_wheels(common.store, name, as_json=bool(common.get("as_json")), quiet=common.get("quiet", 0))


@cli.command()
@common_options
@click.pass_context
def envs(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401
    """List the environments that the store knows."""
    common = take_common(context, options)
    from wheelstore.cli.listing import list_environments

    list_environments(common.store, as_json=bool(common.get("as_json")), quiet=common.get("quiet", 0))


@cli.command()
@common_options
@click.pass_context
def path(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401
    """Print the store's directory."""
    common = take_common(context, options)
    from wheelstore.cli.listing import show_path

    show_path(common.store, as_json=bool(common.get("as_json")))


def _started(context: click.Context) -> float:
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


def run(arguments: list[str], started: float) -> int:
    """Run the command line; the exit status. Errors become one line each on stderr, never a traceback."""
    try:
        status = _invoke(arguments, started)
        sys.stdout.flush()  # here, where it is noticed that nobody reads it
    except (KeyboardInterrupt, click.Abort):
        return interrupted()
    except Exception as error:
        if explain(error):
            return 1
        raise
    return status


def _invoke(arguments: list[str], started: float) -> int:
    if not arguments:
        sys.stderr.write(f"{cli.get_help(click.Context(cli, info_name='store'))}\n")
        return 2
    try:
        with cli.make_context("store", list(arguments)) as context:
            context.meta["started"] = started
            cli.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        return _usage(error)
    except click.ClickException as error:
        fail([error.format_message()])
        return 1
    return 0


def _usage(error: click.UsageError) -> int:
    hints = [f"{error.ctx.command_path if error.ctx is not None else 'store'} --help lists what there is"]
    possibilities = getattr(error, "possibilities", None)
    if possibilities:
        hints.insert(0, f"did you mean {' or '.join(map(str, possibilities))}?")
    text = error.message if possibilities else error.format_message()
    message = " ".join(text.split()).removesuffix(".")
    fail([message[:1].lower() + message[1:]], hints)
    return 2
