"""What is measured: each scenario's contenders, and the budgets that the comparisons are held to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks import contests, instant, locking, many, scaling
from benchmarks.harness import Contender, Measured, Runner, compete
from benchmarks.sizes import fill_both
from benchmarks.synthetic import write_grid
from benchmarks.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A ratio that is reported, and the most it should be (None: it is for information)."""

    against: str
    limit: float | None = None
    metric: str = "wall"
    subject: str = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing to measure. `measure` gets the number of rounds, by default `rounds`, and needs `locks` recorded.

    It also needs recorded what the contenders of `recorded_by` ask for in their first round.
    """

    name: str
    title: str
    rounds: int
    measure: Callable[[Workshop, Runner, int], Measured]
    comparisons: tuple[Comparison, ...]
    group: str = ""
    locks: tuple[str, ...] = ("jupyter",)
    recorded_by: Callable[[Workshop], Sequence[Contender]] | None = None


def timed(
    contenders: Callable[[Workshop], Sequence[Contender]], *, sample_memory: bool = False
) -> Callable[[Workshop, Runner, int], Measured]:
    """The ordinary way to measure: let contenders compete."""

    def measure(shop: Workshop, runner: Runner, rounds: int) -> Measured:
        return compete(contenders(shop), rounds, runner, sample_memory=sample_memory)

    return measure


INSTANT = "Instant environments"
LOCKS = "Locks"
BASICS = "Small things, memory and space"
FLAT = 0.02  # of uv's slope: less than its noise

IMPORTS = (
    Comparison(subject="store layered", against="uv", metric="import", limit=0.5),
    Comparison(subject="store layered", against="uv"),
    Comparison(subject="store compiled", against="uv", metric="import", limit=0.5),
    Comparison(subject="store compiled", against="uv"),
    Comparison(subject="store", against="uv", metric="import"),
)
MEMORY = (
    Comparison(against="uv", metric="tree", limit=1.5),
    Comparison(against="uv", metric="peak", limit=1.5),
)
SIZES = (
    Comparison(against="uv", metric="allocated", limit=0.9),
    Comparison(against="uv", metric="apparent", limit=0.9),
)


def lock_scenarios(stem: str, title: str, suffix: str = "", *, budgets: bool = True) -> Iterable[Scenario]:
    """The ordinary scenarios of locking one input; budgets are for 96 packages and more."""
    cold = locking.cold(stem)
    yield Scenario(
        name=f"lock{suffix}",
        title=f"Lock {title}, warm",
        rounds=15,
        measure=timed(locking.warm(stem)),
        comparisons=(
            Comparison(against="uv", limit=1.0 if budgets else None),
            Comparison(subject="store anew", against="uv", limit=5.0 if budgets else None),
            Comparison(against="pip-compile", limit=0.1),
            *(Comparison(subject="store anew", against=peer) for peer in ("pip-compile", "Poetry", "PDM")),
        ),
        group=LOCKS,
        locks=(),
        recorded_by=cold,
    )
    yield Scenario(
        name=f"lock{suffix}-cold",
        title=f"Lock {title}, cold",
        rounds=7,
        measure=timed(cold),
        comparisons=(
            Comparison(against="uv", limit=1.5 if budgets else None),
            *(Comparison(against=peer) for peer in ("pip-compile", "Poetry", "PDM")),
        ),
        group=LOCKS,
        locks=(),
        recorded_by=cold,
    )


SCENARIOS = (
    Scenario(
        name="warm",
        title="New environment, 96 packages, warm",
        rounds=15,
        measure=timed(contests.warm("jupyter")),
        comparisons=(
            Comparison(against="uv", limit=0.8),
            Comparison(against="uv hardlink", limit=1.0),
            Comparison(against="pip"),
        ),
    ),
    Scenario(
        name="no-op",
        title="Nothing to do, 96 packages",
        rounds=40,
        measure=timed(contests.same),
        comparisons=(Comparison(against="uv", limit=1.0),),
    ),
    Scenario(
        name="one-changed",
        title="One package of 96 changed",
        rounds=30,
        measure=timed(contests.changed),
        comparisons=(Comparison(against="uv", limit=1.5),),
        locks=("jupyter", contests.CHANGED_LOCK),
    ),
    Scenario(
        name="cold",
        title="New environment, 96 packages, cold, index on loopback",
        rounds=7,
        measure=timed(contests.cold("jupyter")),
        comparisons=(Comparison(against="uv", limit=1.0),),
    ),
    Scenario(
        name="venv",
        title="Empty environment",
        rounds=30,
        measure=timed(contests.creation),
        comparisons=(Comparison(against="uv"), Comparison(against="venv")),
    ),
    Scenario(
        name="layered",
        title="New environment, 96 packages, layered",
        rounds=20,
        measure=timed(instant.layered("jupyter")),
        comparisons=(Comparison(subject="store layered", against="uv", limit=0.25),),
        group=INSTANT,
    ),
    Scenario(
        name="layered-large",
        title="New environment, 222 packages, layered",
        rounds=15,
        measure=timed(instant.layered("large")),
        comparisons=(Comparison(subject="store layered", against="uv", limit=0.1),),
        group=INSTANT,
        locks=("large",),
    ),
    Scenario(
        name="snapshot",
        title="New environment, 96 packages, btrfs",
        rounds=15,
        measure=timed(instant.snapshot("jupyter")),
        comparisons=(
            Comparison(subject="store snapshot", against="uv"),
            Comparison(subject="store snapshot", against="uv hardlink"),
        ),
        group=INSTANT,
    ),
    Scenario(
        name="spares",
        title="New environment, 96 packages, made beforehand",
        rounds=15,
        measure=timed(instant.spares),
        comparisons=(Comparison(subject="store spare", against="uv"),),
        group=INSTANT,
    ),
    Scenario(
        name="bytecode",
        title="New environment, 96 packages, with bytecode",
        rounds=10,
        measure=timed(instant.bytecode),
        comparisons=(
            Comparison(against="uv", limit=0.05),
            Comparison(subject="store layered", against="uv", limit=0.05),
        ),
        group=INSTANT,
    ),
    Scenario(
        name="first-import",
        title="New environment and its first imports, 96 packages",
        rounds=7,
        measure=timed(instant.first_import("jupyter", instant.HEAVY)),
        comparisons=IMPORTS,
        group=INSTANT,
    ),
    Scenario(
        name="first-import-servers",
        title="New environment and the import of jupyter's servers",
        rounds=3,
        measure=timed(instant.first_import("jupyter", instant.SERVERS)),
        comparisons=(Comparison(against="uv", metric="import", subject="store layered"),),
        group=INSTANT,
    ),
    Scenario(
        name="first-import-large",
        title="New environment and its first imports, 222 packages",
        rounds=5,
        measure=timed(instant.first_import("large", instant.HEAVY_LARGE)),
        comparisons=IMPORTS,
        group=INSTANT,
        locks=("large",),
    ),
    Scenario(
        name="run",
        title="A command without an environment of its own, 96 packages",
        rounds=20,
        measure=timed(instant.run),
        comparisons=(Comparison(against="uv"),),
        group=INSTANT,
    ),
    Scenario(
        name="no-op-layered",
        title="Nothing to do, 96 packages, layered",
        rounds=30,
        measure=timed(instant.same("jupyter", *instant.LAYERED)),
        comparisons=(Comparison(subject="store layered", against="uv", limit=1.0),),
        group=INSTANT,
    ),
    Scenario(
        name="no-op-large",
        title="Nothing to do, 222 packages",
        rounds=30,
        measure=timed(instant.same("large")),
        comparisons=(Comparison(against="uv", limit=1.0),),
        group=INSTANT,
        locks=("large",),
    ),
    Scenario(
        name="scaling",
        title="New environments of 10 to 400 packages",
        rounds=5,
        measure=scaling.measure,
        comparisons=(
            Comparison(subject="store hardlink", against="uv", metric="slope"),
            Comparison(subject="store layered", against="uv", metric="slope", limit=FLAT),
            Comparison(subject="store snapshot", against="uv", metric="slope", limit=FLAT),
        ),
        group=INSTANT,
        locks=("large",),
    ),
    Scenario(
        name="many",
        title="Many environments of 96 packages",
        rounds=100,
        measure=many.measure,
        comparisons=(),
        group=INSTANT,
    ),
    *lock_scenarios("jupyter", "96 packages"),
    *lock_scenarios("trio-docs", "42 packages", "-small", budgets=False),
    *lock_scenarios("large", "222 packages", "-large"),
    Scenario(
        name="lock-universal",
        title="Lock for three systems and four Pythons",
        rounds=7,
        measure=timed(locking.universal("jupyter")),
        comparisons=(Comparison(subject="store anew", against="uv"),),
        group=LOCKS,
        locks=(),
        recorded_by=locking.universal("jupyter"),
    ),
    Scenario(
        name="lock-histories",
        title="Lock long histories that pin each other (boto3)",
        rounds=7,
        measure=timed(locking.histories),
        comparisons=(
            Comparison(subject="store anew", against="uv", limit=5.0),
            Comparison(subject="store anew", against="pip-compile"),
        ),
        group=LOCKS,
        locks=(),
        recorded_by=locking.histories,
    ),
    Scenario(
        name="lock-grid",
        title="80 x 80 versions that exclude each other: no answer",
        rounds=7,
        measure=timed(locking.hopeless("grid", write_grid)),
        comparisons=(Comparison(subject="store anew", against="uv"),),
        group=LOCKS,
        locks=(),
    ),
    Scenario(
        name="warm-small",
        title="New environment, 42 packages, warm",
        rounds=15,
        measure=timed(contests.warm("trio-docs")),
        comparisons=(
            Comparison(against="uv", limit=0.8),
            Comparison(against="uv hardlink", limit=1.0),
            Comparison(against="pip"),
        ),
        group=BASICS,
        locks=("trio-docs",),
    ),
    Scenario(
        name="start-up",
        title="Start-up (--version)",
        rounds=30,
        measure=timed(contests.start_up),
        comparisons=(Comparison(against="uv"), Comparison(against="pip")),
        group=BASICS,
    ),
    Scenario(
        name="memory-warm",
        title="Peak memory, 96 packages, warm",
        rounds=3,
        measure=timed(contests.warm("jupyter", pip_rounds=0), sample_memory=True),
        comparisons=MEMORY,
        group=BASICS,
    ),
    Scenario(
        name="memory-cold",
        title="Peak memory, 96 packages, cold",
        rounds=3,
        measure=timed(contests.cold("jupyter"), sample_memory=True),
        comparisons=MEMORY,
        group=BASICS,
    ),
    Scenario(
        name="size",
        title="Disk space of store and cache, wheels of both locks",
        rounds=1,
        measure=fill_both,
        comparisons=SIZES,
        group=BASICS,
        locks=("jupyter", "trio-docs"),
    ),
)


def chosen(names: Iterable[str]) -> tuple[Scenario, ...]:
    """The scenarios of these names, in the usual order; all if there are no names.

    Raises:
        KeyError: there is none of a name.
    """
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    wanted = {name: by_name[name] for name in names}
    return tuple(scenario for scenario in SCENARIOS if not wanted or scenario.name in wanted)
