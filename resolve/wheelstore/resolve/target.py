"""What an interpreter takes: its markers, and the wheel tags it accepts in its own order.

Everything here is computed from facts that were asked of the interpreter once, so that selecting for
another Python never starts it. Tags are plain text (``cp311-cp311-manylinux_2_28_x86_64``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wheelstore.resolve.filenames import split_wheel

MOST_TAGS = 10_000
"""A compressed tag set that stands for more tags than this is nonsense (or an attack) and fits nothing."""

_LAST_GLIBC_MINOR = 50  # of glibc 2, should there ever be a glibc 3; as packaging.tags guesses


class InterpreterFacts(Protocol):
    """What tags are computed from; an interpreter's description has these attributes."""

    @property
    def implementation(self) -> str:
        """``sys.implementation.name``."""

    @property
    def version(self) -> str:
        """Full version, ``3.12.1``."""

    @property
    def markers(self) -> Mapping[str, str]:
        """The PEP 508 environment, without ``extra``."""

    @property
    def platform(self) -> str:
        """``sysconfig.get_platform()``."""

    @property
    def libc(self) -> str:
        """``glibc 2.36``, ``musl 1.2`` or nothing."""

    @property
    def pointer_bits(self) -> int:
        """32 or 64."""

    @property
    def ext_suffix(self) -> str:
        """``sysconfig.get_config_var("EXT_SUFFIX")``."""

    @property
    def debug(self) -> bool:
        """Whether this is a debug build (``Py_DEBUG``)."""

    @property
    def gil_disabled(self) -> bool:
        """Whether this is a free-threaded build (``Py_GIL_DISABLED``)."""

    @property
    def mac_version(self) -> str:
        """``platform.mac_ver()[0]``; nothing elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One interpreter, as selection sees it: PEP 508 markers, and tags with the best first."""

    markers: Mapping[str, str]
    tags: tuple[str, ...]
    _ranks: dict[str, int] = field(init=False, repr=False, compare=False)
    _compressed: dict[str, int | None] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        ranks: dict[str, int] = {}
        for tag in self.tags:
            ranks.setdefault(tag, len(ranks))
        object.__setattr__(self, "_ranks", ranks)

    @classmethod
    def of(cls, facts: InterpreterFacts) -> Target:
        """Describe the interpreter that these facts were asked of."""
        tags = tags_of(
            implementation=facts.implementation,
            version=facts.version,
            platform=facts.platform,
            machine=facts.markers.get("platform_machine", ""),
            libc=facts.libc,
            pointer_bits=facts.pointer_bits,
            ext_suffix=facts.ext_suffix,
            debug=facts.debug,
            gil_disabled=facts.gil_disabled,
            mac_version=facts.mac_version,
        )
        return cls(markers=dict(facts.markers), tags=tags)

    @property
    def python(self) -> str:
        """The release that Requires-Python is compared with: ``3.13.0`` also for ``3.13.0rc1``, as in pip."""
        full = self.markers.get("python_full_version", "")
        match = re.match(r"\d+(?:\.\d+)*", full)
        return match[0] if match else self.markers.get("python_version", "3")

    def rank(self, filename: str) -> int | None:
        """How well a wheel fits, by its filename: 0 is best, None does not fit (or is no wheel)."""
        wheel = split_wheel(filename)
        return self.rank_tags(wheel.tags) if wheel is not None else None

    def rank_tags(self, tags: str) -> int | None:
        """How well a compressed tag set (``py2.py3-none-any``) fits: its best tag's rank, or None."""
        rank = self._ranks.get(tags)
        if rank is not None or "." not in tags:
            return rank if rank is not None else self._ranks.get(tags.lower())
        if tags not in self._compressed:
            ranks = [self._ranks[tag] for tag in expand_tags(tags) if tag in self._ranks]
            self._compressed[tags] = min(ranks, default=None)
        return self._compressed[tags]


def expand_tags(tags: str) -> tuple[str, ...]:
    """Write out a compressed tag set (PEP 425); nothing for one that stands for absurdly many."""
    pythons, abis, platforms = (part.split(".") for part in tags.lower().split("-"))
    if len(pythons) * len(abis) * len(platforms) > MOST_TAGS:
        return ()
    return tuple(f"{python}-{abi}-{platform}" for python in pythons for abi in abis for platform in platforms)


def tags_of(
    *,
    implementation: str,
    version: str,
    platform: str,
    machine: str = "",
    libc: str = "",
    pointer_bits: int = 64,
    ext_suffix: str = "",
    debug: bool = False,
    gil_disabled: bool = False,
    mac_version: str = "",
) -> tuple[str, ...]:
    """Every tag an interpreter accepts, best first: what `packaging.tags.sys_tags()` says inside it.

    The arguments are as in `InterpreterFacts`; ``machine`` is ``platform.machine()``, needed on macOS only.
    """
    platforms = list(
        _platforms(platform, machine=machine, libc=libc, bits=pointer_bits, mac=mac_version, abi=ext_suffix)
    )
    return tags_on(
        platforms,
        implementation=implementation,
        version=version,
        ext_suffix=ext_suffix,
        debug=debug,
        gil_disabled=gil_disabled,
    )


def tags_on(
    platforms: Sequence[str],
    *,
    implementation: str,
    version: str,
    ext_suffix: str = "",
    debug: bool = False,
    gil_disabled: bool = False,
) -> tuple[str, ...]:
    """Every tag that an interpreter accepts where these platform tags are accepted, best first."""
    from packaging import tags as packaging_tags

    release = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    short = packaging_tags.INTERPRETER_SHORT_NAMES.get(implementation, implementation)
    nodot = "".join(map(str, release))
    if short == "cp":
        first = packaging_tags.cpython_tags(
            release, _cpython_abis(release, debug=debug, gil_disabled=gil_disabled), platforms
        )
        pure: str | None = f"cp{nodot}"
    else:
        first = packaging_tags.generic_tags(f"{short}{nodot}", _generic_abis(ext_suffix), platforms)
        pure = "pp3" if short == "pp" else None
    rest = packaging_tags.compatible_tags(release, pure, platforms)
    return tuple(dict.fromkeys(str(tag) for tags in (first, rest) for tag in tags))


def _cpython_abis(release: Sequence[int], *, debug: bool, gil_disabled: bool) -> list[str]:
    plain = f"cp{release[0]}{release[1]}{'t' if gil_disabled else ''}"
    return [f"{plain}d", plain] if debug else [plain]


def _generic_abis(ext_suffix: str) -> list[str]:
    """``.pypy310-pp73-x86_64-linux-gnu.so`` names the ABI ``pypy310_pp73``."""
    parts = ext_suffix.split(".")
    if len(parts) < 3 or not parts[1]:
        return []
    soabi = parts[1].split("-")
    lengths = {"pypy": 2, "graalpy": 3}
    length = next((count for prefix, count in lengths.items() if soabi[0].startswith(prefix)), len(soabi))
    return [_normalize("-".join(soabi[:length]))]


def _normalize(text: str) -> str:
    return re.sub(r"[-. ]", "_", text)


def _platforms(platform: str, *, machine: str, libc: str, bits: int, mac: str, abi: str) -> Iterator[str]:
    if platform.startswith("macosx-"):
        from packaging.tags import mac_platforms

        major, minor = (int(number) for number in (*re.findall(r"\d+", mac), "0", "0")[:2])
        architecture = machine or platform.rpartition("-")[2]
        if bits == 32:
            architecture = "ppc" if architecture.startswith("ppc") else "i386"
        yield from mac_platforms((major, minor), architecture)
    elif platform.startswith("linux-"):
        yield from _linux_platforms(_normalize(platform.removeprefix("linux-")), libc, bits, abi)
    else:
        yield _normalize(platform)


def _linux_platforms(architecture: str, libc: str, bits: int, abi: str) -> Iterator[str]:
    """Platform tags of PEP 600 and PEP 656; packaging's own generator only knows its own process."""
    if bits == 32:
        architecture = {"x86_64": "i686", "aarch64": "armv8l"}.get(architecture, architecture)
    architectures = ["armv8l", "armv7l"] if architecture == "armv8l" else [architecture]
    for arch in architectures:
        yield f"linux_{arch}"
    family, _, release = libc.partition(" ")
    numbers = [int(number) for number in re.findall(r"\d+", release)[:2]]
    if len(numbers) < 2:
        return
    major, minor = numbers
    if family == "glibc" and _is_manylinux(architectures, abi):
        for arch in architectures:
            yield from _manylinux(arch, major, minor)
    elif family == "musl":
        for arch in architectures:
            for older in range(minor, -1, -1):
                yield f"musllinux_{major}_{older}_{arch}"


def _is_manylinux(architectures: Sequence[str], abi: str) -> bool:
    if "armv7l" in architectures:
        return "gnueabihf" in abi  # only the hard-float ABI is a manylinux platform
    known = {"x86_64", "i686", "aarch64", "ppc64", "ppc64le", "s390x", "loongarch64", "riscv64"}
    return not known.isdisjoint(architectures)


def _manylinux(arch: str, major: int, minor: int) -> Iterator[str]:
    legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    oldest = 5 if arch in {"x86_64", "i686"} else 17
    for generation in range(major, 1, -1):
        newest = minor if generation == major else _LAST_GLIBC_MINOR
        for older in range(newest, (oldest if generation == 2 else 0) - 1, -1):
            yield f"manylinux_{generation}_{older}_{arch}"
            if generation == 2 and older in legacy:
                yield f"{legacy[older]}_{arch}"
