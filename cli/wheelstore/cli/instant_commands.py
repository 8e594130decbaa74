"""Commands for environments that are there at once: their options and help; what they do is in the module of each."""

from __future__ import annotations

import os
from typing import Any

import click

from wheelstore.cli.options import (
    bytecode_options,
    common_options,
    python_option,
    request_options,
    started,
    take_common,
)
from wheelstore.cli.request import SyncRequest
from wheelstore.cli.run_request import RunRequest, split_command

_COMMAND = "wheelstore.command"


def _sync_request(context: click.Context, locks: tuple[str, ...], options: dict[str, Any]) -> SyncRequest:
    """The environment that the options speak of."""
    common = request_options(take_common(context, options))
    paths = tuple(lock if lock == "-" else os.path.abspath(lock) for lock in locks)
    return SyncRequest(locks=paths, venv="", link_mode="layered", **options, **common)


@click.command()
@click.argument("locks", nargs=-1, required=True, metavar="LOCK...")
@python_option
@click.option(
    "--spares",
    type=click.IntRange(min=0),
    metavar="N",
    help="Have N spares: what 'store sync LOCK' makes, ready to be taken.  [default: as many as before, at first 0]",
)
@click.option("--link-mode", type=click.Choice(["auto", "clone", "hardlink"]), help="How files get into spares.")
@click.option("--drop", is_flag=True, help="Keep nothing of LOCK ready any more.")
@click.option("--require-hashes", is_flag=True, help="Refuse a lock in which any pin has no hash.")
@bytecode_options
@common_options
@click.pass_context
def prewarm(context: click.Context, /, locks: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """Have all that LOCK means ready in the store: wheels, bytecode, an image, spares.

    The image is for 'store run LOCK' and 'store sync --link-mode layered LOCK', which take it with bytecode; on btrfs
    there is one for every sync. Spares are for a 'store sync LOCK' that makes a new environment. With
    --compile-bytecode, or without (--no-compile-bytecode), both are for commands that say so as well.

    What is ready stays so until --drop, or until nobody has used it for 30 days (in a store that others may read, only
    until --drop); 'store gc' makes new spares for those that were taken, and so does this command.
    """
    own = {name: options.pop(name) for name in ("spares", "link_mode", "drop")}
    from wheelstore.cli.prewarming import PrewarmRequest, run_prewarm

    run_prewarm(PrewarmRequest(sync=_sync_request(context, locks, options), **own), started=started(context))


class RunCommand(click.Command):
    """A command whose line ends with another command's, which nothing is read of."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Understand the words before the command."""
        own, ctx.meta[_COMMAND] = split_command(args)
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Name the command, too."""
        return [*super().collect_usage_pieces(ctx), "[--] COMMAND..."]


@click.command("run", cls=RunCommand)
@click.argument("locks", nargs=-1, required=True, metavar="LOCK...")
@python_option
@click.option("--require-hashes", is_flag=True, help="Refuse a lock in which any pin has no hash.")
@bytecode_options
@common_options
@click.pass_context
def run_with(context: click.Context, /, locks: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """Run COMMAND in an environment that is what LOCK says, and is gone afterwards.

    The environment looks into an image in the store, which is made if there is none. COMMAND has this process's input,
    output, signals and exit status. Without the --, it is what follows the first LOCK.
    """
    command = context.meta[_COMMAND]
    if not command:
        raise click.UsageError("Missing the command to run: store run LOCK -- COMMAND", context)
    from wheelstore.cli.ephemeral import run_command

    request = RunRequest(_sync_request(context, locks, options), tuple(command))
    context.exit(run_command(request))
