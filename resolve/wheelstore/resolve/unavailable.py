"""Which versions of a project cannot be taken at all, and why, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelstore.resolve.provider import Provider

PRERELEASE = "pre-release"


def unavailable(provider: Provider, name: str) -> dict[str, int]:
    """The versions (as bits) by reason; among those that were looked at, and the pre-releases."""
    project = provider.project(name)
    found: dict[str, int] = {}
    left_out = int(project.known) & ~int(provider.allowed(name))
    for number in range(left_out.bit_length()):
        if provider.was_asked(name, number):  # an earlier lock may keep a pre-release
            left_out &= ~(1 << number)
    if left_out:
        found[PRERELEASE] = left_out
    for number, refusal in sorted(project.refused.items()):
        if not left_out >> number & 1:
            found[refusal.why.value] = found.get(refusal.why.value, 0) | 1 << number
    return found
