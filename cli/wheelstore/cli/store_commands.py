"""Commands about the store itself: their options and help; what they do is in the module of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from wheelstore.cli.amounts import parse_duration, parse_size
from wheelstore.cli.options import (
    bytecode_options,
    common_options,
    python_option,
    request_options,
    started,
    take_common,
)
from wheelstore.cli.request import AddRequest, Common, VerifyRequest


@click.command()
@click.argument("items", nargs=-1, required=True, metavar="WHEEL|LOCK...")
@python_option
@click.option("--require-hashes", is_flag=True, help="Refuse a lock in which any pin has no hash.")
@bytecode_options
@common_options
@click.pass_context
def add(context: click.Context, /, items: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """Get wheels into the store: files, URLs, or all that a LOCK means for --python."""
    common = Common(**request_options(take_common(context, options)))
    from wheelstore.cli.adding import run_add

    run_add(AddRequest(items=items, common=common, **options), started=started(context))


@click.command()
@click.argument("name", required=False)
@common_options
@click.pass_context
def ls(context: click.Context, /, name: str | None, **options: Any) -> None:  # noqa: ANN401
    """List the wheels in the store, or those of the project NAME."""
    common = take_common(context, options)
    from wheelstore.cli.listing import list_wheels

    list_wheels(common.store, name, as_json=bool(common.get("as_json")), quiet=common.get("quiet", 0))


@click.command()
@common_options
@click.pass_context
def path(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401
    """Print the store's directory."""
    common = take_common(context, options)
    from wheelstore.cli.listing import show_path

    show_path(common.store, as_json=bool(common.get("as_json")))


@click.command()
@click.argument("name", metavar="NAME[==VERSION]")
@common_options
@click.pass_context
def why(context: click.Context, /, name: str, **options: Any) -> None:  # noqa: ANN401
    """Say which environments keep the wheels of NAME in the store, and where these came from."""
    common = take_common(context, options)
    from wheelstore.cli.explaining import explain_wheels

    explain_wheels(common.store, name, as_json=bool(common.get("as_json")))


def _amount(parse: Callable[[str], float]) -> Callable[[click.Context, click.Parameter, str | None], float | None]:
    """What makes a number of an option's text."""

    def parsed(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            raise click.BadParameter(str(error), context, option) from None

    return parsed


_DURATION: dict[str, Any] = {"metavar": "DURATION", "callback": _amount(parse_duration)}
_SIZE: dict[str, Any] = {"metavar": "SIZE", "callback": _amount(parse_size)}


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be freed; change nothing.")
@click.option("--older-than", **_DURATION, help="Only what was last used so long ago, as 30d (0s, without --max-size).")
@click.option("--max-size", **_SIZE, help="Down to so much, as 20GB; what was used least recently goes first.")
@click.option(
    "--grace", **_DURATION, default="1d", show_default=True, help="Keep what deleted environments had so long."
)
@common_options
@click.pass_context
def gc(context: click.Context, /, *, dry_run: bool, **options: Any) -> None:  # noqa: ANN401
    """Free what no environment needs: wheels, unfinished downloads, index pages."""
    words = request_options(take_common(context, options))
    from wheelstore.cli.collecting import GcRequest, run_gc
    from wheelstore.store.policy import Policy

    if options["older_than"] is None and options["max_size"] is None:
        options["older_than"] = 0.0
    common = {name: words[name] for name in ("store", "json", "quiet", "verbose", "progress")}
    run_gc(GcRequest(policy=Policy(**options), dry_run=dry_run, **common), started=started(context))


@click.command()
@click.option("--wheels", is_flag=True, help="List the wheels instead, the largest first.")
@common_options
@click.pass_context
def du(context: click.Context, /, *, wheels: bool, **options: Any) -> None:  # noqa: ANN401
    """Say how large environments and store are, what sharing saves, and what gc would free."""
    common = take_common(context, options)
    from wheelstore.cli.measuring import show_usage

    show_usage(common.store, wheels=wheels, as_json=bool(common.get("as_json")), quiet=common.get("quiet", 0))


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--repair", is_flag=True, help="Get back what is damaged, and put environments right.")
@common_options
@click.pass_context
def verify(context: click.Context, /, names: tuple[str, ...], repair: bool, **options: Any) -> None:  # noqa: ANN401, FBT001
    """Hash every file of the store, or those of the projects NAME, and report what is not as it should be."""
    common = Common(**request_options(take_common(context, options)))
    from wheelstore.cli.verifying import run_verify

    run_verify(VerifyRequest(names=names, common=common, repair=repair), started=started(context))
