"""Who does what in the scenarios of locking: requirements in, a lock out, from the recorded index.

No lock is there before. "Warm" is after one lock of the same input: pages are known and fresh, metadata is known; the
memory of answers is a contender of its own beside solving anew. "Cold" knows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.harness import Contender, Step
from benchmarks.lockers import NO_ANSWER, Pdm, PipCompile, Poetry, StoreLock, UvLock
from benchmarks.workshop import Workshop

Contenders = Callable[[Workshop], Sequence[Contender]]
ANEW = "--no-memo"


def warm(stem: str, *, slow_rounds: int = 2) -> Contenders:
    """The same input again; tools that take seconds take part in `slow_rounds` of the rounds."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        requirements = shop.requirements(stem)

        def again(name: str, lock: Callable[[Path], Step], rounds: int | None = None) -> Contender:
            output = shop.fresh("lock")

            def steps(_round: int = 0) -> Sequence[Step]:
                return (lock(output),)

            def remove(_round: int) -> Sequence[Step]:
                return (Step(argv=("/bin/rm", "-f", str(output)), environment={}),)

            return Contender(name=name, steps=steps, setup=remove, prepare=steps, rounds=rounds)

        def anew(name: str, lock: Callable[[Path], Step]) -> Contender:
            def steps(_round: int = 0) -> Sequence[Step]:
                return (lock(shop.fresh("lock")),)

            return Contender(name=name, steps=steps, prepare=steps, rounds=slow_rounds)

        store, uv, pip = StoreLock(shop=shop), UvLock(shop=shop), PipCompile(shop=shop)
        return (
            again("store", lambda output: store.lock(requirements, output)),
            again("store anew", lambda output: store.lock(requirements, output, ANEW)),
            again("uv", lambda output: uv.lock(requirements, output)),
            again("pip-compile", lambda output: pip.lock(requirements, output), slow_rounds),
            anew("Poetry", lambda project: Poetry(shop=shop).lock(requirements, project)),
            anew("PDM", lambda project: Pdm(shop=shop).lock(requirements, project)),
        )

    return contenders


def cold(stem: str, *, slow_rounds: int = 1) -> Contenders:
    """The first lock of all, each with a cache of its own."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        requirements = shop.requirements(stem)

        def contender(name: str, lock: Callable[[Path], Step], rounds: int | None = None) -> Contender:
            return Contender(name=name, steps=lambda _round: (lock(shop.fresh("cold")),), rounds=rounds)

        return (
            contender("store", lambda path: StoreLock(shop=shop, cache=path.name).lock(requirements, path)),
            contender("uv", lambda path: UvLock(shop=shop, cache=path.name).lock(requirements, path)),
            contender(
                "pip-compile",
                lambda path: PipCompile(shop=shop, cache=path.name).lock(requirements, path),
                slow_rounds,
            ),
            contender("Poetry", lambda path: Poetry(shop=shop, cache=path.name).lock(requirements, path), slow_rounds),
            contender("PDM", lambda path: Pdm(shop=shop, cache=path.name).lock(requirements, path), slow_rounds),
        )

    return contenders


def histories(shop: Workshop) -> Sequence[Contender]:
    """An input that others go back and forth in: warm, but for pip-compile, which takes minutes and has one round."""
    requirements = shop.requirements("histories")
    store, uv, pip = StoreLock(shop=shop), UvLock(shop=shop), PipCompile(shop=shop)

    def anew(_round: int = 0) -> Sequence[Step]:
        return (store.lock(requirements, shop.fresh("lock"), ANEW),)

    def with_uv(_round: int = 0) -> Sequence[Step]:
        return (uv.lock(requirements, shop.fresh("lock")),)

    def with_pip(_round: int) -> Sequence[Step]:
        return (pip.lock(requirements, shop.fresh("lock")),)

    return (
        Contender(name="store anew", steps=anew, prepare=anew),
        Contender(name="uv", steps=with_uv, prepare=with_uv),
        Contender(name="pip-compile", steps=with_pip, rounds=1),
    )


def universal(stem: str) -> Contenders:
    """One lock for Linux, macOS and Windows and every Python from 3.10 on, what it needs known, solved anew."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        requirements = shop.requirements(stem)
        options = ("--universal", "--python-version", "3.10")

        def with_store(_round: int = 0) -> Sequence[Step]:
            return (StoreLock(shop=shop).lock(requirements, shop.fresh("lock"), ANEW, *options),)

        def with_uv(_round: int = 0) -> Sequence[Step]:
            return (UvLock(shop=shop).lock(requirements, shop.fresh("lock"), *options),)

        return (
            Contender(name="store anew", steps=with_store, prepare=with_store),
            Contender(name="uv", steps=with_uv, prepare=with_uv),
        )

    return contenders


def hopeless(stem: str, write: Callable[[Workshop], None]) -> Contenders:
    """An input that has no answer, warm, solved anew: how long until the tool says why."""

    def contenders(shop: Workshop) -> Sequence[Contender]:
        write(shop)
        requirements = shop.requirements(stem)

        def with_store(_round: int = 0) -> Sequence[Step]:
            return (StoreLock(shop=shop).lock(requirements, shop.fresh("lock"), ANEW, status=NO_ANSWER),)

        def with_uv(_round: int = 0) -> Sequence[Step]:
            return (UvLock(shop=shop).lock(requirements, shop.fresh("lock"), status=NO_ANSWER),)

        return (
            Contender(name="store anew", steps=with_store, prepare=with_store),
            Contender(name="uv", steps=with_uv, prepare=with_uv),
        )

    return contenders
