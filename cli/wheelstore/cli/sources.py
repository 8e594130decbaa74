"""Where wheels come from in one command: the configured indexes, the network, and what is remembered of both."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wheelstore.cli.configuration import CommandLine, index_options, read_configuration, transport_options
from wheelstore.cli.pip_files import Surroundings
from wheelstore.resolve.facts import Facts
from wheelstore.resolve.indexes import Indexes
from wheelstore.resolve.requirements_options import LockOptions
from wheelstore.resolve.transport import Transport
from wheelstore.store.layout import Store


class Wanted(Protocol):
    """What the command line says about sources; every request has these."""

    @property
    def index_url(self) -> str | None:
        """``--index-url``."""

    @property
    def extra_index_urls(self) -> tuple[str, ...]:
        """``--extra-index-url``, repeated."""

    @property
    def find_links(self) -> tuple[str, ...]:
        """``--find-links``, repeated."""

    @property
    def no_index(self) -> bool:
        """``--no-index``."""

    @property
    def offline(self) -> bool:
        """``--offline``."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The open means of finding and fetching.

    For a store that is only read, `stored` finds what it has without any network: nothing else can be used anyway.
    """

    indexes: Indexes
    transport: Transport
    facts: Facts
    stored: Indexes | None = None


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """What configuration is read from, as this process sees it."""
    return Surroundings(
        environ=environ,
        home=os.path.expanduser("~"),
        prefix=sys.prefix,
        platform=sys.platform,
        cwd=os.getcwd(),
        read=_read,
    )


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


@contextmanager
def open_sources(
    request: Wanted,
    options: LockOptions | None,
    *,
    store: Store,
    environ: Mapping[str, str],
    index_strategy: str | None = None,
    refresh: bool = False,
    stale_if_error: bool = False,
) -> Iterator[Sources]:
    """The indexes and the network as command line, lock and configuration say.

    Args:
        index_strategy: the command line's, if it says one.
        refresh, stale_if_error: as for `Indexes`.

    Raises:
        ConfigurationError: a setting makes no sense.
    """
    around = surroundings(environ)
    configuration = read_configuration(around)
    command = CommandLine(
        index_url=request.index_url,
        extra_index_urls=request.extra_index_urls,
        find_links=request.find_links,
        no_index=request.no_index,
        index_strategy=index_strategy,
        offline=request.offline,
    )
    where = index_options(configuration, command, options, around)
    network = transport_options(configuration, command, options, where)
    facts = Path(store.facts_path) if store.writable else None
    with Facts(facts) as remembered, Transport(network) as transport:

        def indexes(*, offline: bool) -> Indexes:
            return Indexes(
                where,
                pages=transport,
                facts=remembered,
                now=time.time,
                offline=offline,
                refresh=refresh,
                stale_if_error=stale_if_error,
            )

        stored = None if store.writable or network.offline else indexes(offline=True)
        yield Sources(indexes(offline=network.offline), transport, remembered, stored)
