"""What `store lock` is asked to do, defaults applied."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How the lock is written."""

    format: str | None = None
    annotate: bool = True
    annotation_style: str = "split"
    header: bool = True
    custom_command: str | None = None
    emit_index_url: bool = False
    emit_find_links: bool = False
    emit_build_options: bool = False
    emit_index_annotation: bool = False
    omitted: tuple[str, ...] = ()
    strip_extras: bool = True
    strip_markers: bool = False
    hashes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRequest:
    """The options of `store lock`; paths are as given, ``output`` is None for standard output.

    ``indexes`` are ``NAME=URL`` or URLs, ``pins`` are ``PACKAGE=NAME``; ``arguments`` are the command line's words.
    """

    inputs: tuple[str, ...]
    store: str
    looks: Looks
    output: str | None = None
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    all_extras: bool = False
    groups: tuple[str, ...] = ()
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    resolution: str = "highest"
    prerelease: str | None = None
    exclude_newer: str | None = None
    exclude_newer_packages: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    only_binary: tuple[str, ...] = ()
    no_dependencies: bool = False
    python: str | None = None
    python_version: str | None = None
    python_platform: str | None = None
    universal: bool = False
    targets: tuple[str, ...] = ()
    index_strategy: str | None = None
    indexes: tuple[str, ...] = field(default=(), repr=False)
    pins: tuple[str, ...] = ()
    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    offline: bool = False
    refresh: bool = False
    memo: bool = True
    dry_run: bool = False
    quiet: int = 0
    verbose: int = 0
    json: bool = False
    progress: bool = True
    arguments: tuple[str, ...] = ()
