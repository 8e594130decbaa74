"""Which proxy, if any, a request goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wheelstore.resolve.addresses import Login, Origin, origin_of, split_login
from wheelstore.resolve.fetch_errors import Trouble


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy and the login that it wants."""

    host: str
    port: int
    login: Login | None


def choose_proxy(origin: Origin, *, proxy: str | None, proxies: Mapping[str, str]) -> Proxy | None:
    """Choose the proxy for an origin: ``proxy`` for everything, else as the environment's variables say.

    ``proxies`` has the shape of ``urllib.request.getproxies()``: by scheme, ``all`` for any, ``no`` for the
    hosts that are reached directly.

    Raises:
        Trouble: the proxy's URL is not an http one.
    """
    if proxy is None:
        proxy = proxies.get(origin.scheme) or proxies.get("all")
        if not proxy or bypasses(origin, proxies.get("no", "")):
            return None
    bare, login = split_login(proxy if "://" in proxy else f"http://{proxy}")
    where = origin_of(bare)
    if where.scheme != "http" or not where.host:
        raise Trouble(f"{where.scheme}: proxies are not supported", hint="give the proxy as http://host:port")
    return Proxy(where.host, where.port, login)


def bypasses(origin: Origin, no_proxy: str) -> bool:
    """Whether ``no_proxy`` names the origin: by name, domain, ``host:port``, address, network, or ``*``."""
    for entry in no_proxy.replace(",", " ").lower().split():
        name = entry.lstrip(".")
        if entry == "*" or origin.host == name or origin.host.endswith("." + name):
            return True
        if f"{origin.host}:{origin.port}" == entry or ("/" in entry and _in_network(origin.host, entry)):
            return True
    return False


def _in_network(host: str, network: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
