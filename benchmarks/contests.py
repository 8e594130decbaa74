"""Who does what in each scenario: the contenders, and the commands of each round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.contenders import Pip, Store, Uv
from benchmarks.harness import Contender, Step
from benchmarks.workshop import Workshop

CHANGED_LOCK = "jupyter-changed"


def warm(stem: str, *, pip_rounds: int = 2) -> Callable[[Workshop], Sequence[Contender]]:
    """New environments of one lock, all wheels known; each tool makes one beforehand."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        uv, store, pip, lock = Uv(shop=shop), Store(shop=shop), Pip(shop=shop), shop.lock(stem)

        def with_uv(*options: str) -> Callable[[int], Sequence[Step]]:
            return lambda _round: uv.fresh(lock, shop.fresh("uv"), *options)

        def with_store(_round: int = 0) -> Sequence[Step]:
            return (store.sync(lock, shop.fresh("store")),)

        def with_pip(_round: int = 0) -> Sequence[Step]:
            return pip.fresh(lock, shop.fresh("pip"))

        hardlink = with_uv("--link-mode", "hardlink")
        slow = Contender(name="pip", steps=with_pip, prepare=with_pip, rounds=pip_rounds)
        return (
            Contender(name="store", steps=with_store, prepare=with_store),
            Contender(name="uv", steps=with_uv(), prepare=lambda: with_uv()(0)),
            Contender(name="uv hardlink", steps=hardlink, prepare=lambda: hardlink(0)),
            *((slow,) if pip_rounds else ()),
        )

    return contenders


def cold(stem: str) -> Callable[[Workshop], Sequence[Contender]]:
    """New environments with nothing known: pages and wheels come from the loopback index."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        lock = shop.lock(stem)

        def with_store(_round: int) -> Sequence[Step]:
            target = shop.fresh("store")
            return (Store(shop=shop, cache=target.name).sync(lock, target),)

        def with_uv(_round: int) -> Sequence[Step]:
            target = shop.fresh("uv")
            return Uv(shop=shop, cache=target.name).fresh(lock, target)

        return Contender(name="store", steps=with_store), Contender(name="uv", steps=with_uv)

    return contenders


def same(shop: Workshop) -> Sequence[Contender]:
    """An environment that is the lock already."""
    uv, store, lock = Uv(shop=shop), Store(shop=shop), shop.lock("jupyter")
    of_uv, of_store = shop.fresh("uv"), shop.fresh("store")
    return (
        Contender(
            name="store",
            prepare=lambda: (store.sync(lock, of_store),),
            steps=lambda _round: (store.sync(lock, of_store),),
        ),
        Contender(
            name="uv",
            prepare=lambda: uv.fresh(lock, of_uv),
            steps=lambda _round: (uv.sync(lock, of_uv),),
        ),
    )


def changed(shop: Workshop) -> Sequence[Contender]:
    """One package goes to and fro between two versions that are both known."""
    uv, store = Uv(shop=shop), Store(shop=shop)
    of_uv, of_store = shop.fresh("uv"), shop.fresh("store")
    locks = shop.lock(CHANGED_LOCK), shop.lock("jupyter")

    def both(sync: Callable[[Path], Step]) -> Sequence[Step]:
        return tuple(map(sync, locks))

    return (
        Contender(
            name="store",
            prepare=lambda: both(lambda lock: store.sync(lock, of_store)),
            steps=lambda number: (store.sync(locks[number % 2], of_store),),
        ),
        Contender(
            name="uv",
            prepare=lambda: (uv.create(of_uv), *both(lambda lock: uv.sync(lock, of_uv))),
            steps=lambda number: (uv.sync(locks[number % 2], of_uv),),
        ),
    )


def creation(shop: Workshop) -> Sequence[Contender]:
    """Environments without packages."""
    tools = {"store": Store(shop=shop).create, "uv": Uv(shop=shop).create, "venv": Pip(shop=shop).create}

    def contender(name: str, create: Callable[[Path], Step]) -> Contender:
        return Contender(name=name, steps=lambda _round: (create(shop.fresh(name)),))

    return tuple(contender(name, create) for name, create in tools.items())


def start_up(shop: Workshop) -> Sequence[Contender]:
    """What every command costs."""
    versions = {
        "store": Store(shop=shop).version(),
        "uv": Uv(shop=shop).version(),
        "pip": Pip(shop=shop).version(),
    }

    def contender(name: str, version: Step) -> Contender:
        return Contender(name=name, steps=lambda _round: (version,))

    return tuple(contender(name, version) for name, version in versions.items())
