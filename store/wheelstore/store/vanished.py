"""Which environments are roots, and which are gone long enough to be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wheelstore.store.errors import StoreError
from wheelstore.store.index import EnvironmentRow
from wheelstore.store.roots import Presence


class RootUnreadable(StoreError):
    """It cannot be told whether an environment is there, so nothing is collected."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path
        self.hint = f"make it readable; or, if it is no more, run 'store forget {path}'"

    def __str__(self) -> str:
        return f"nothing was freed, because the environment {self.path} cannot be looked at"


class RootUnknown(StoreError):
    """It cannot be told what an environment consists of, so nothing is collected."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path
        self.hint = f"run 'store sync' for it once; or, if it is no more needed, 'store forget {path}'"

    def __str__(self) -> str:
        return f"nothing was freed, because the index does not know what the environment {self.path} consists of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """An environment that is not there, `since` it was first noticed, and may be forgotten from `until` on."""

    row: EnvironmentRow
    since: float
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was found: who is missing, whether in the grace period or past it, and who is there again.

    `unknown` are roots, there or in their grace period, of which the index does not know what they consist of.
    """

    kept: Sequence[Missing]
    expired: Sequence[Missing]
    returned: Sequence[EnvironmentRow]
    unknown: Sequence[EnvironmentRow]


def review(
    rows: Sequence[EnvironmentRow],
    *,
    presence: Callable[[EnvironmentRow], Presence],
    is_planned: Callable[[EnvironmentRow], bool],
    now: float,
    grace: float,
) -> Review:
    """Look at each environment. A time in the future, when some clock was wrong, counts as `now`.

    Raises:
        RootUnreadable: it cannot be told whether one is there.
    """
    kept, expired, returned, unknown = [], [], [], []
    for row in rows:
        found = presence(row)
        if found is Presence.UNREADABLE:
            raise RootUnreadable(row.path)
        if found is Presence.MISSING:
            since = now if row.missing is None else min(row.missing, now)
            missing = Missing(row=row, since=since, until=since + grace)
            if missing.until <= now:
                expired.append(missing)
                continue
            kept.append(missing)
        elif row.missing is not None:
            returned.append(row)
        if not is_planned(row):
            unknown.append(row)
    return Review(kept=kept, expired=expired, returned=returned, unknown=unknown)
