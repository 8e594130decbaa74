"""Who does what in the scenarios of environments that take no time: layered, snapshot, spares, bytecode, run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.contenders import Store, Uv, importing
from benchmarks.harness import Contender, Step
from benchmarks.workshop import Workshop

Contenders = Callable[[Workshop], Sequence[Contender]]
LAYERED = ("--link-mode", "layered")
SNAPSHOT = ("--link-mode", "snapshot")
HARDLINK = ("--link-mode", "hardlink")
CLONE = ("--link-mode", "clone")
BYTECODE = ("--compile-bytecode",)
HEAVY = (
    *("IPython", "ipykernel.kernelapp", "ipywidgets", "jedi", "babel.dates", "debugpy", "tornado.web"),
    *("prompt_toolkit", "bs4", "jinja2", "zmq", "bleach", "yaml", "psutil", "requests"),
)
"""The heaviest packages of the lock that do no long work of their own when they are imported."""

SERVERS = ("jupyterlab.labapp", "notebook.app", "nbconvert")
"""Those that do: each imports `rfc3987_syntax`, which makes a parser out of a grammar, for 2 of their 2.3 seconds."""

HEAVY_LARGE = (
    *("pandas", "sklearn.ensemble", "matplotlib.pyplot", "sympy", "statsmodels.api", "bokeh.plotting", "networkx"),
    *("django.db.models", "sqlalchemy.orm", "fastapi", "boto3", "celery"),
)


def of_store(name: str, shop: Workshop, lock: Path, *options: str) -> Contender:
    """New environments by `store sync`; the first one, unmeasured, leaves what the others are made of."""

    def steps(_round: int = 0) -> Sequence[Step]:
        return (Store(shop=shop).sync(lock, shop.fresh("store"), *options),)

    return Contender(name=name, steps=steps, prepare=steps)


def of_uv(name: str, shop: Workshop, lock: Path, *options: str, rounds: int | None = None) -> Contender:
    """New environments by `uv venv` and `uv pip sync`, one unmeasured beforehand."""
    uv = Uv(shop=shop)

    def steps(_round: int = 0) -> Sequence[Step]:
        return uv.fresh(lock, shop.fresh("uv"), *options)

    return Contender(name=name, steps=steps, prepare=lambda: uv.fresh(lock, shop.fresh("uv")), rounds=rounds)


def layered(stem: str) -> Contenders:
    """New environments upon an image that exists."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        lock = shop.lock(stem)
        return of_store("store layered", shop, lock, *LAYERED), of_uv("uv", shop, lock)

    return contenders


def snapshot(stem: str) -> Contenders:
    """New environments on btrfs; uv clones there, as it does by default."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        there = shop.on("btrfs")
        lock = there.lock(stem)
        return (
            of_store("store snapshot", there, lock, *SNAPSHOT),
            of_uv("uv", there, lock),
            of_uv("uv hardlink", there, lock, *HARDLINK),
        )

    return contenders


def spares(shop: Workshop) -> Sequence[Contender]:
    """New environments that were made beforehand and are taken by a rename; uv has no such thing."""
    lock = shop.lock("jupyter")
    store = Store(shop=shop, cache="store-spares")
    ready = Contender(
        name="store spare",
        setup=lambda _round: (store.prewarm(lock, 1),),
        steps=lambda _round: (store.sync(lock, shop.fresh("store")),),
    )
    return ready, of_uv("uv", shop, lock)


def bytecode(shop: Workshop) -> Sequence[Contender]:
    """New environments with all bytecode; uv compiles in each, so it takes part in few rounds."""
    lock = shop.lock("jupyter")
    return (
        of_store("store", shop, lock, *BYTECODE),
        of_store("store layered", shop, lock, *LAYERED, *BYTECODE),
        of_uv("uv", shop, lock, *BYTECODE, rounds=2),
    )


def first_import(stem: str, modules: Sequence[str]) -> Contenders:
    """A new environment, then the first import of the heaviest packages in it."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        lock = shop.lock(stem)
        store, uv = Store(shop=shop, bytecode=True), Uv(shop=shop, bytecode=True)
        kinds = {"store layered": LAYERED, "store compiled": (*HARDLINK, *BYTECODE), "store": HARDLINK}

        def ours(name: str, options: Sequence[str]) -> Contender:
            def steps(_round: int = 0) -> Sequence[Step]:
                target = shop.fresh("store")
                return store.sync(lock, target, *options), importing(shop, target, modules)

            return Contender(name=name, steps=steps, prepare=steps, last="import")

        def theirs(_round: int = 0) -> Sequence[Step]:
            target = shop.fresh("uv")
            return *uv.fresh(lock, target), importing(shop, target, modules)

        return (
            *(ours(name, options) for name, options in kinds.items()),
            Contender(name="uv", steps=theirs, prepare=theirs, last="import"),
        )

    return contenders


def same(stem: str, *options: str) -> Contenders:
    """An environment that is the lock already."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        store, uv, lock = Store(shop=shop), Uv(shop=shop), shop.lock(stem)
        ours, theirs = shop.fresh("store"), shop.fresh("uv")
        name = " ".join(["store", *options[1:2]])
        return (
            Contender(
                name=name,
                prepare=lambda: (store.sync(lock, ours, *options),),
                steps=lambda _round: (store.sync(lock, ours, *options),),
            ),
            Contender(
                name="uv",
                prepare=lambda: uv.fresh(lock, theirs),
                steps=lambda _round: (uv.sync(lock, theirs),),
            ),
        )

    return contenders


def run(shop: Workshop) -> Sequence[Contender]:
    """A command in an environment that nobody keeps; both tools have one from an earlier run to begin with."""
    store, uv, lock = Store(shop=shop), Uv(shop=shop), shop.lock("jupyter")
    command = ("python", "-c", "pass")

    def contender(name: str, step: Step) -> Contender:
        return Contender(name=name, steps=lambda _round: (step,), prepare=lambda: (step,))

    return contender("store", store.run(lock, *command)), contender("uv", uv.run(lock, *command))
