"""Small plans that follow from a long one, so that what takes no time per file need not read a line per file.

An *image* has every link of a plan. A *layered* environment has the rest for itself (its *layer*): what is outside of
site-packages, scripts, and ``.pth`` files that lead to the image. A *shell* is what has to be written into a
snapshot of the image, or into a spare, for it to be an environment: the files that name its path.
"""

from __future__ import annotations

from wheelstore.materialize.plan import Lift, Link, make_plan, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheelstore.materialize.plan import Plan
    from wheelstore.store.index import Index

LAYER, SHELL = "layer", "shell"
"""The kinds of shapes that the index keeps for each manifest."""

# `site` reads these in the order of their names: first the one that makes the image importable.
_IMAGE = "_wheelstore-image{}.pth"
_LIFTED = "_wheelstore-lifted-"


def keep_shapes(index: Index, manifest: str, plan: Plan, sites: Iterable[str]) -> None:
    """Keep the shapes of a manifest whose plan was kept just now; inside `Index.writing`."""
    index.put_shape(manifest, LAYER, pack(layer_of(plan, sites, manifest)))
    if can_be_completed(plan):
        index.put_shape(manifest, SHELL, pack(shell_of(plan)))


def can_be_completed(plan: Plan) -> bool:
    """Whether a tree of its files can become an environment: not if it has a directory where that has a link."""
    return not any(directory == "lib64" for directory in plan.directories)


def image_of(plan: Plan) -> Plan:
    """What the image of `plan` holds: its links, and what is certain of each RECORD that lists scripts."""
    links = [*_links(plan), *(Link(record.target, record.source) for record in plan.records)]
    return make_plan(links, [], [], plan.distributions, directories=plan.directories[1:])


def shell_of(plan: Plan) -> Plan:
    """What has to be written into a tree that holds `image_of` the plan."""
    return make_plan([], plan.scripts, plan.records, plan.distributions)


def layer_of(plan: Plan, sites: Iterable[str], image: str) -> Plan:
    """What an environment has for itself if its `sites` (purelib and platlib) are those of the `image`."""
    ordered = list(dict.fromkeys(sites))
    insides = tuple(f"{site}/" for site in ordered)
    lifts = [
        Lift(f"{site}/{_IMAGE.format(number or '')}", "", site, image)
        for number, site in enumerate(ordered)
        if any(target.startswith(f"{site}/") for target in plan.targets)
    ]
    links = []
    for link in _links(plan):
        if not link.target.startswith(insides):
            links.append(link)
            continue
        site, _, name = link.target.rpartition("/")
        if site in ordered and name.endswith((".pth", ".start")) and len(link.source) > 1:
            lifts.append(Lift(f"{site}/{_LIFTED}{name}", link.source, site, image))
    directories = [one for one in plan.directories[1:] if not f"{one}/".startswith(insides)]
    return make_plan(links, plan.scripts, [], plan.distributions, directories=[*directories, *ordered], lifts=lifts)


def lift_text(source: bytes | None, site: str) -> bytes:
    """What a lifted file says: `source` is the image's, None for the one that adds `site`, the image's directory.

    Lines that are paths are relative to where the file was; and the code that setuptools put into ``-nspkg.pth``
    files asks `site` itself for that.
    """
    if source is None:
        return f"{site}\n".encode("utf-8", "surrogateescape")
    lines = source.decode("utf-8", "surrogateescape").removeprefix("\ufeff").splitlines()
    return "".join(f"{_lifted(line, site)}\n" for line in lines).encode("utf-8", "surrogateescape")


_ASKS_SITE = "sys._getframe(1).f_locals['sitedir']"


def _lifted(line: str, site: str) -> str:
    if line.startswith(("import ", "import\t")):
        return line.replace(_ASKS_SITE, repr(site))
    if not line.strip() or line.startswith(("#", "/")):
        return line
    return f"{site}/{line}"


def _links(plan: Plan) -> Iterator[Link]:
    return (Link(target, source) for target, source in zip(plan.targets, plan.sources, strict=True))
