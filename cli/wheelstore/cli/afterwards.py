"""What can be done after a command has answered: by a process that nobody waits for, or, if users want, before.

On the warm path.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

VARIABLE = "STORE_DETACH"


def afterwards(work: Callable[[], object], *, keep: Collection[int] = ()) -> None:
    """Have `work` done, with the files whose descriptors are in `keep`; at once if STORE_DETACH is 0.

    So it is, too, where there can be no such process.
    """
    from wheelstore.store.detached import detach

    if os.environ.get(VARIABLE) == "0" or not detach(work, keep=keep):
        work()
