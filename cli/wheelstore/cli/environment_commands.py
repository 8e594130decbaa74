"""Commands about environments: their options and help; what they do is in the module of each."""

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
from wheelstore.cli.request import Common, RollbackRequest, SyncRequest, VenvRequest


@click.command()
@click.argument("locks", nargs=-1, required=True, metavar="LOCK...")
@click.option("--venv", default=".venv", show_default=True, metavar="PATH", help="The environment to make or change.")
@python_option
@click.option(
    "--link-mode",
    type=click.Choice(["auto", "clone", "hardlink", "copy", "layered", "snapshot"]),
    default="auto",
    envvar="STORE_LINK_MODE",
    show_default=True,
    help="How files get from the store into the environment.",
)
@click.option("--require-hashes", is_flag=True, help="Refuse a lock in which any pin has no hash.")
@click.option("--reinstall", is_flag=True, help="Make every file anew.")
@bytecode_options
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

    run_sync(request, started=started(context))


@click.command()
@click.argument("path", default=".venv", metavar="[PATH]")
@python_option
@click.option("--seed", is_flag=True, help="Put pip into it (before Python 3.12 setuptools and wheel, too).")
@click.option("-c", "--clear", is_flag=True, help="Replace whatever is at PATH.")
@click.option("--prompt", metavar="TEXT", help="What shells show while it is active; '.' is the directory's name.")
@click.option("--system-site-packages", is_flag=True, help="Let it see what the Python itself has installed.")
@bytecode_options
@common_options
@click.pass_context
def venv(context: click.Context, /, path: str, **options: Any) -> None:  # noqa: ANN401
    """Make a virtual environment at PATH (.venv) with nothing in it."""
    common = Common(**request_options(take_common(context, options)))
    from wheelstore.cli.venvs import run_venv

    run_venv(VenvRequest(path=os.path.abspath(path), common=common, **options), started=started(context))


@click.command()
@click.argument("path", required=False, metavar="[PATH|ID]")
@click.option("--history", is_flag=True, help="List their generations: when, from what, and what changed.")
@common_options
@click.pass_context
def envs(context: click.Context, /, path: str | None, *, history: bool, **options: Any) -> None:  # noqa: ANN401
    """List the environments that the store knows, or the one at PATH."""
    common = take_common(context, options)
    from wheelstore.cli.surveying import list_environments

    as_json, quiet = bool(common.get("as_json")), common.get("quiet", 0)
    list_environments(common.store, path, history=history, as_json=as_json, quiet=quiet)


@click.command()
@click.option("--venv", default=".venv", show_default=True, metavar="PATH", help="The environment to bring back.")
@click.option("--to", type=click.IntRange(min=1), metavar="N", help="The generation, as store envs --history counts.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@common_options
@click.pass_context
def rollback(context: click.Context, /, venv: str, **options: Any) -> None:  # noqa: ANN401
    """Make an environment what it was before its last sync, or as generation N.

    The store has kept what that takes: nothing is fetched. Called again, it goes back one further.
    """
    common = Common(**request_options(take_common(context, options)))
    from wheelstore.cli.rolling_back import run_rollback

    run_rollback(RollbackRequest(venv=os.path.abspath(venv), common=common, **options), started=started(context))


@click.command()
@click.argument("environments", nargs=-1, required=True, metavar="PATH|ID...")
@common_options
@click.pass_context
def forget(context: click.Context, /, environments: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """Keep nothing in the store for these environments any more.

    Their files stay, and so does what other environments use.
    """
    common = take_common(context, options)
    from wheelstore.cli.forgetting import forget_environments

    as_json, quiet = bool(common.get("as_json")), common.get("quiet", 0)
    forget_environments(common.store, environments, as_json=as_json, quiet=quiet)
