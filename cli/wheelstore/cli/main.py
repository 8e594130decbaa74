"""The command line as click sees it; `front` comes here for all that is not common or not warm."""

from __future__ import annotations

import difflib
import sys
from typing import Any

import click

from wheelstore.cli.console import explain, fail
from wheelstore.cli.environment_commands import envs, forget, rollback, sync, venv
from wheelstore.cli.front import interrupted
from wheelstore.cli.instant_commands import prewarm, run_with
from wheelstore.cli.lock_commands import lock
from wheelstore.cli.options import CommonWords, common_options
from wheelstore.cli.store_commands import add, du, gc, ls, path, verify, why
from wheelstore.store.version import VERSION


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


for command in (
    *(lock, sync, venv, run_with, envs, rollback, forget),
    *(add, prewarm, ls, path, why, du, gc, verify),
):
    cli.add_command(command)


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
            context.meta.update(started=started, arguments=tuple(arguments))
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
