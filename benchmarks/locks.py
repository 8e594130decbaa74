"""Make the lock that differs from another in one package."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

RELEASE = re.compile(r"\d+(?:\.\d+)*")


def with_previous_version(lock: str, project: str, files: Sequence[Mapping[str, object]]) -> str:
    """`lock` with `project` pinned to the release before the one it has, hashes and all.

    `files` are those of the project's index page (PEP 691); the chosen release has a wheel for every
    platform, and is neither yanked nor a pre-release.

    Raises:
        ValueError: the lock doesn't pin the project, or the index has no earlier release.
    """
    pin = re.search(rf"^{re.escape(project)}==(\S+)(.*?)((?: \\\n +--hash=\S+)+)", lock, re.MULTILINE)
    if pin is None:
        message = f"the lock has no pin of {project}"
        raise ValueError(message)
    hashes: dict[tuple[int, ...], dict[str, str]] = {}
    for file in files:
        match str(file["filename"]).removesuffix(".whl").split("-"):
            case [_, version, _, "none", "any"] if RELEASE.fullmatch(version) and not file.get("yanked"):
                digests = file["hashes"]
                assert isinstance(digests, Mapping)
                hashes.setdefault(release(version), {})[version] = digests["sha256"]
    earlier = [key for key in hashes if key < release(pin[1])]
    if not earlier:
        message = f"the index has no release of {project} before {pin[1]}"
        raise ValueError(message)
    ((version, digest),) = hashes[max(earlier)].items()
    replacement = f"{project}=={version}{pin[2]} \\\n    --hash=sha256:{digest}"
    return lock[: pin.start()] + replacement + lock[pin.end() :]


def release(version: str) -> tuple[int, ...]:
    """The numbers of a plain release, for comparison; trailing zeros don't count (PEP 440)."""
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
