"""`store lock`: its options, which are those of `uv pip compile` and pip-compile, and its help."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from wheelstore.cli.lock_memory import default_inputs
from wheelstore.cli.lock_request import LockRequest, Looks
from wheelstore.cli.opening import Opening
from wheelstore.cli.options import common_options, python_option, request_options, started, take_common

F = TypeVar("F", bound=Callable[..., Any])

_FILES: dict[str, Any] = {"multiple": True, "metavar": "FILE"}
_NAMES: dict[str, Any] = {"multiple": True, "metavar": "NAME"}
_FLAG: dict[str, Any] = {"is_flag": True}
_RESOLUTIONS = click.Choice(["highest", "lowest", "lowest-direct"])
_PRERELEASES = click.Choice(["allow", "disallow", "if-necessary", "explicit", "if-necessary-or-explicit"])
_STRATEGIES = click.Choice(["first-index", "unsafe-first-match", "unsafe-best-match"])

_INPUT: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("-o", "--output-file", "output"), {"metavar": "FILE", "help": "The lock, whose pins stay.  [default: stdout]"}),
    (("-c", "--constraint", "constraints"), {**_FILES, "help": "Narrows what is asked for."}),
    (("--override", "overrides"), {**_FILES, "help": "Replaces what distributions declare."}),
    (("--excludes", "--exclude", "excludes"), {**_FILES, "help": "Names what is left out."}),
    (("--extra", "extras"), {**_NAMES, "help": "An extra of the projects."}),
    (("--all-extras",), {**_FLAG, "help": "All extras of the projects."}),
    (("--group", "groups"), {**_NAMES, "help": "A dependency group, NAME or FILE:NAME."}),
    (("-U", "--upgrade"), {**_FLAG, "help": "Keep no pin of the output."}),
    (("-P", "--upgrade-package", "upgrade_packages"), {**_NAMES, "help": "Do not keep this pin."}),
)
_CHOICE: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--resolution",), {"type": _RESOLUTIONS, "default": "highest", "help": "Which of the versions that fit."}),
    (("--prerelease",), {"type": _PRERELEASES, "help": "When pre-releases are taken."}),
    (("--pre",), {**_FLAG, "help": "The same as --prerelease allow."}),
    (("--exclude-newer",), {"metavar": "MOMENT", "help": "Files uploaded later do not exist: 2024-05-01, 30 days."}),
    (("--exclude-newer-package", "exclude_newer_packages"), {**_NAMES, "metavar": "NAME=MOMENT", "help": "For one."}),
    (("--no-binary",), {**_NAMES, "help": "Take no wheels of this; or :all:."}),
    (("--only-binary",), {**_NAMES, "help": "Take only wheels of this; or :all:."}),
    (("--no-deps", "no_dependencies"), {**_FLAG, "help": "Lock only what is asked for."}),
    (("--python-version",), {"metavar": "VERSION", "help": "The Python to lock for."}),
    (("--python-platform",), {"metavar": "PLATFORM", "help": "The platform to lock for, as linux, macos, windows."}),
    (
        ("--universal",),
        {**_FLAG, "help": "One lock for Linux, macOS and Windows, and all Pythons from --python-version on."},
    ),
    (("--target", "targets"), {**_NAMES, "metavar": "PYTHON-PLATFORM", "help": "One of several, as 3.12-linux."}),
    (("--index-strategy",), {"type": _STRATEGIES, "help": "Which of several indexes answers."}),
    (("--index", "indexes"), {"multiple": True, "metavar": "[NAME=]URL", "help": "An index, asked before others."}),
    (("--pin-index", "pins"), {"multiple": True, "metavar": "PACKAGE=NAME", "help": "The only index of a package."}),
    (("--refresh",), {**_FLAG, "help": "Believe no remembered page without asking."}),
    (("--no-memo", "no_memo"), {**_FLAG, "help": "Solve anew, though nothing has changed."}),
    (("-n", "--dry-run"), {**_FLAG, "help": "Say what would be locked; write nothing."}),
)
_LOOKS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--format",), {"type": click.Choice(["requirements.txt", "pylock.toml"]), "help": "By default, by the name."}),
    (("--annotate/--no-annotate",), {"default": True, "help": "Say who asks for each."}),
    (("--annotation-style",), {"type": click.Choice(["split", "line"]), "default": "split", "help": "How."}),
    (("--header/--no-header",), {"default": True, "help": "Say at the top how the lock was made."}),
    (
        ("--custom-compile-command", "custom_command"),
        {"metavar": "TEXT", "envvar": "CUSTOM_COMPILE_COMMAND", "help": "For the header."},
    ),
    (("--emit-index-url/--no-emit-index-url",), {"default": False, "help": "Write the indexes."}),
    (("--emit-find-links/--no-emit-find-links",), {"default": False, "help": "Write the find-links locations."}),
    (("--emit-build-options/--no-emit-build-options",), {"default": False, "help": "Write --no-binary and the like."}),
    (("--emit-options/--no-emit-options",), {"default": False, "help": "Write all of these options."}),
    (("--emit-index-annotation/--no-emit-index-annotation",), {"default": False, "help": "Say where each is from."}),
    (("--no-emit-package", "--unsafe-package", "omitted"), {**_NAMES, "help": "Leave this out of the output."}),
    (("--strip-extras/--no-strip-extras",), {"default": True, "help": "Write names without extras."}),
    (("--strip-markers/--no-strip-markers",), {"default": False, "help": "Write pins without markers."}),
    (("--generate-hashes/--no-hashes", "hashes"), {"default": True, "help": "Write the hashes of all files."}),
)
_ACCEPTED = ("--allow-unsafe", "--no-allow-unsafe", "--reuse-hashes", "--no-build-isolation", "--newline-lf")
_PASSED_OVER: dict[str, Any] = {"hidden": True, "expose_value": False, "help": "Accepted, as pip-compile has it."}
_LOOKS_NAMES = (
    *("format", "annotate", "annotation_style", "header", "custom_command", "emit_index_url", "emit_find_links"),
    *("emit_build_options", "emit_index_annotation", "omitted", "strip_extras", "strip_markers", "hashes"),
)


def _options(function: F) -> F:
    for names, settings in reversed((*_INPUT, *_CHOICE, *_LOOKS)):
        function = click.option(*names, **settings)(function)
    for name in _ACCEPTED:
        function = click.option(name, is_flag=True, **_PASSED_OVER)(function)
    return click.option("--resolver", type=click.Choice(["backtracking"]), **_PASSED_OVER)(function)


@click.command()
@click.argument("inputs", nargs=-1, metavar="[INPUT...]")
@_options
@python_option
@common_options
@click.pass_context
def lock(context: click.Context, /, inputs: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401
    """Find versions that fit together, and write them down with the hashes of their files.

    An INPUT is a requirements file, a pyproject.toml, setup.cfg or setup.py, a project's directory, or - for standard
    input; by default requirements.in or pyproject.toml. The lock is a requirements.txt, or a pylock.toml if it is
    called so.
    """
    common = request_options(take_common(context, options))
    inputs = inputs or default_inputs(os.getcwd())
    if not inputs and not options["groups"]:
        raise click.UsageError("Missing INPUT, and there is neither requirements.in nor pyproject.toml", context)
    if options.pop("emit_options"):
        options |= dict.fromkeys(("emit_index_url", "emit_find_links", "emit_build_options"), True)
    if options.pop("pre"):
        options["prerelease"] = options["prerelease"] or "allow"
    looks = Looks(**{name: options.pop(name) for name in _LOOKS_NAMES})
    if options["output"] == "-":
        options["output"] = None
    options["memo"] = not options.pop("no_memo")
    arguments = tuple(context.find_root().meta.get("arguments", ()))
    opening = Opening(common["store"], options["python"], os.environ)
    from wheelstore.cli.locking import run_lock

    request = LockRequest(inputs=inputs, looks=looks, arguments=arguments, **options, **common)
    context.exit(run_lock(request, opening, started=started(context)))
