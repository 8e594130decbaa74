"""Where the settings of indexes and network come from: the command line, ``STORE_*``, pip's own configuration.

Precedence, setting by setting; the first that says something decides:

1. the command line
2. the lock's own option lines (``--index-url`` in a requirements file)
3. ``STORE_*`` variables
4. ``PIP_*`` variables
5. pip's files: PIP_CONFIG_FILE, the environment's, the user's, the machine's; ``[install]`` before ``[global]``

Two kinds of settings differ, as in pip. Lists of the command line and the lock (``--extra-index-url``,
``--find-links``, ``--trusted-host``) do not replace configured ones but go in front of them. And ``--no-index``
holds wherever it is said, whatever else says ``--index-url``. (In pip a requirements file's ``--index-url``
even beats the command line's; here, as in uv, it does not.)

Indexes are asked in this order, and the first that has a project answers for it alone: the extra ones of the
command line, the lock and ``STORE_EXTRA_INDEX_URL``, as in uv; the default one; the extra ones of pip's own
configuration. To pip an extra index is one more place and no preference, so a machine set up for pip goes on
finding what pip finds, and a small mirror among its extra indexes does not hide newer versions.

This is pure: the environment, the directories and the reading of files are passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from wheelstore.cli.pip_files import (
    ALIASES,
    ConfigurationError,
    Setting,
    Surroundings,
    absolute_path,
    path_module,
    read_files,
)

if TYPE_CHECKING:
    from wheelstore.resolve.indexes import IndexOptions
    from wheelstore.resolve.transport import TransportOptions

_Value = TypeVar("_Value")

_OURS = frozenset({"dir", "offline", "index-strategy"})  # not pip's to say
_STORE_NAMES = {"http-timeout": "timeout", "http-retries": "retries"}
_CA_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What is configured; None and empty where nothing is. Paths are absolute; URLs may hold credentials.

    ``extra_index_urls`` are STORE_EXTRA_INDEX_URL's; only without that are there ``pip_extra_index_urls``.
    ``proxies`` has the shape of `urllib.request.getproxies`; ``store`` is STORE_DIR; ``files`` are the pip
    configuration files that were found.
    """

    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    pip_extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    index_strategy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    proxy: str | None = field(default=None, repr=False)
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    cert: str | None = None
    client_cert: str | None = None
    netrc: str | None = None
    timeout: float | None = None
    retries: int | None = None
    require_hashes: bool = False
    offline: bool = False
    store: str | None = None
    files: tuple[str, ...] = ()


class LockSays(Protocol):
    """The option lines of a lock, as far as they are about indexes."""

    @property
    def index_url(self) -> str | None:
        """``--index-url``."""

    @property
    def extra_index_urls(self) -> tuple[str, ...]:
        """``--extra-index-url``, repeated."""

    @property
    def no_index(self) -> bool:
        """``--no-index``."""

    @property
    def find_links(self) -> tuple[str, ...]:
        """``--find-links``, repeated."""

    @property
    def trusted_hosts(self) -> tuple[str, ...]:
        """``--trusted-host``, repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """What the command line says about indexes and network; None, False and empty where nothing."""

    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    index_strategy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    offline: bool = False


def read_configuration(around: Surroundings) -> Configuration:
    """Read everything that is configured outside the command line.

    Raises:
        ConfigurationError: a file is no configuration file, or a value is not of its kind.
    """
    files, from_files = read_files(around)
    from_pip = from_files | _variables("PIP_", around.environ, ALIASES)
    ours = _variables("STORE_", around.environ, _STORE_NAMES)
    settings = _Settings(around, {name: from_pip[name] for name in from_pip.keys() - _OURS} | ours)
    environ = around.environ
    extra, is_ours = settings.locations("extra-index-url"), "extra-index-url" in ours
    bundles = (environ[name] for name in _CA_BUNDLES if environ.get(name))
    return Configuration(
        index_url=settings.location("index-url"),
        extra_index_urls=extra if is_ours else (),
        pip_extra_index_urls=() if is_ours else extra,
        find_links=settings.locations("find-links"),
        no_index=settings.flag("no-index"),
        index_strategy=settings.text("index-strategy"),
        trusted_hosts=settings.words("trusted-host"),
        proxy=settings.text("proxy"),
        proxies=proxies_of(environ),
        cert=settings.path("cert") or next(bundles, None),
        client_cert=settings.path("client-cert"),
        netrc=environ.get("NETRC") or _netrc(around),
        timeout=settings.parsed("timeout", float, "a number of seconds"),
        retries=settings.parsed("retries", int, "a whole number"),
        require_hashes=settings.flag("require-hashes"),
        offline=settings.flag("offline"),
        store=settings.path("dir"),
        files=files,
    )


def index_options(
    configuration: Configuration, command: CommandLine, lock: LockSays | None, around: Surroundings
) -> IndexOptions:
    """Add up where to look for distributions; without any word on the default index it is pip's.

    Raises:
        ConfigurationError: an index strategy that does not exist.
    """
    from wheelstore.resolve.indexes import IndexOptions, Strategy

    def absolute(locations: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_location(location, around) for location in locations))

    no_index = command.no_index or configuration.no_index or (lock is not None and lock.no_index)
    locked = lock.index_url if lock is not None else None
    index_url = command.index_url or locked or configuration.index_url
    if index_url is None and not no_index:
        index_url = default_index_url()
    strategy = command.index_strategy or configuration.index_strategy or Strategy.FIRST_INDEX.value
    if strategy not in {each.value for each in Strategy}:
        known = ", ".join(each.value for each in Strategy)
        raise ConfigurationError("index-strategy", f"there is no strategy {strategy!r}, only {known}")
    more = lock.extra_index_urls if lock is not None else ()
    links = lock.find_links if lock is not None else ()
    indexes = (
        *(*command.extra_index_urls, *more, *configuration.extra_index_urls),
        *((index_url,) if index_url is not None else ()),
        *configuration.pip_extra_index_urls,
    )
    return IndexOptions(
        index_urls=() if no_index else absolute(indexes),
        find_links=absolute((*command.find_links, *links, *configuration.find_links)),
        no_index=no_index,
        strategy=Strategy(strategy),
    )


def transport_options(
    configuration: Configuration, command: CommandLine, lock: LockSays | None, options: IndexOptions
) -> TransportOptions:
    """Add up how to reach the network; the credentials of all `options`' URLs are known to it."""
    from wheelstore.resolve.transport import TransportOptions

    given = TransportOptions()
    hosts = (*command.trusted_hosts, *(lock.trusted_hosts if lock is not None else ()), *configuration.trusted_hosts)
    return TransportOptions(
        proxy=configuration.proxy,
        proxies=configuration.proxies,
        cert=Path(configuration.cert) if configuration.cert else None,
        client_cert=Path(configuration.client_cert) if configuration.client_cert else None,
        trusted_hosts=tuple(dict.fromkeys(hosts)),
        timeout=given.timeout if configuration.timeout is None else configuration.timeout,
        retries=given.retries if configuration.retries is None else configuration.retries,
        netrc=Path(configuration.netrc) if configuration.netrc else None,
        logins=tuple(url for url in (*options.index_urls, *options.find_links) if "@" in url),
        offline=command.offline or configuration.offline,
    )


def default_index_url() -> str:
    """The index that is asked when nothing is configured: on the host that distlib names."""
    from urllib.parse import urlsplit

    from distlib.index import DEFAULT_INDEX

    parts = urlsplit(DEFAULT_INDEX)
    return f"{parts.scheme}://{parts.netloc}/simple/"


def proxies_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Pick the proxies by scheme, as `urllib.request.getproxies_environment` does: lower case wins.

    HTTP_PROXY is not believed in a CGI script, where a client could have set it.
    """
    proxies = {name.lower()[:-6]: value for name, value in environ.items() if name.lower().endswith("_proxy")}
    if "REQUEST_METHOD" in environ:
        proxies.pop("http", None)
    proxies |= {name[:-6]: value for name, value in environ.items() if name.endswith("_proxy")}
    return {scheme: proxies[scheme] for scheme in ("http", "https", "all", "no") if proxies.get(scheme)}


@dataclass(frozen=True, slots=True)
class _Settings:
    """Settings by name, still text, with the place that each is from."""

    around: Surroundings
    found: Mapping[str, Setting]

    def text(self, name: str) -> str | None:
        return self.found[name].value if name in self.found else None

    def words(self, name: str) -> tuple[str, ...]:
        return tuple((self.text(name) or "").split())

    def location(self, name: str) -> str | None:
        text = self.text(name)
        return _location(text.strip(), self.around) if text is not None else None

    def locations(self, name: str) -> tuple[str, ...]:
        return tuple(_location(word, self.around) for word in self.words(name))

    def path(self, name: str) -> str | None:
        text = self.text(name)
        return absolute_path(text, self.around) if text is not None else None

    def flag(self, name: str) -> bool:
        text = (self.text(name) or "no").lower()
        if text not in _TRUE | _FALSE:
            raise ConfigurationError(self.found[name].source, f"{name} is yes or no, not {text!r}")
        return text in _TRUE

    def parsed(self, name: str, parse: Callable[[str], _Value], kind: str) -> _Value | None:
        text = self.text(name)
        try:
            return parse(text) if text is not None else None
        except ValueError:
            raise ConfigurationError(self.found[name].source, f"{name} is {kind}, not {text!r}") from None


def _variables(prefix: str, environ: Mapping[str, str], names: Mapping[str, str]) -> dict[str, Setting]:
    """Settings of the environment; empty ones say nothing."""
    found: dict[str, Setting] = {}
    for variable, value in sorted(environ.items()):
        if variable.startswith(prefix) and value.strip():
            name = variable.removeprefix(prefix).lower().replace("_", "-")
            found[names.get(name, name)] = Setting(value, variable)
    return found


def _location(text: str, around: Surroundings) -> str:
    """A URL as it is, a path made absolute."""
    return text if "://" in text or text.startswith("file:") else absolute_path(text, around)


def _netrc(around: Surroundings) -> str:
    name = "_netrc" if around.platform == "win32" else ".netrc"
    return str(path_module(around).join(around.home, name))
