"""Why a pin could not be turned into a wheel. Each error is about one pin; its text says where that stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wheelstore.resolve.addresses import redact
from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.pins import Pin, hide_credentials

_OTHER_PYTHON = "the lock may be for another Python: lock again for this one, or choose with --python"


class PinRefused(ResolveError):
    """One pin means no wheel here; ``pin`` is it, ``reason`` the text behind its position and name."""

    def __init__(self, pin: Pin, *data: object) -> None:
        super().__init__(pin, *data)
        self.pin = pin

    @property
    def reason(self) -> str:
        """What is wrong, without saying with which pin."""
        raise NotImplementedError

    def __str__(self) -> str:
        return hide_credentials(f"{self.pin.position}: {self.pin.spelling}: {self.reason}")


class NoSuchProject(PinRefused):
    """No location has the project at all; ``searched`` are the locations, redacted."""

    hint = "check the name, or add the index that has it (--extra-index-url)"

    def __init__(self, pin: Pin, searched: Sequence[str]) -> None:
        super().__init__(pin, searched)
        self.searched = tuple(redact(location) for location in searched)

    @property
    def reason(self) -> str:
        """Name the places."""
        if not self.searched:
            return "there is no index to search (--no-index)"
        return f"there is no such project in {condense(self.searched, 10)}"


class NoMatchingVersion(PinRefused):
    """The project is there, this version of it is not.

    ``versions`` are those there are, newest first; ``elsewhere`` are indexes that have the version but were
    not allowed to answer, because an earlier one has the project.
    """

    def __init__(self, pin: Pin, versions: Sequence[str], searched: Sequence[str], elsewhere: Sequence[str]) -> None:
        super().__init__(pin, versions, searched, elsewhere)
        self.versions = tuple(versions)
        self.searched = tuple(redact(location) for location in searched)
        self.elsewhere = tuple(redact(location) for location in elsewhere)
        if self.elsewhere:
            self.hint = (
                f"{condense(self.elsewhere, 3)} has it, but an index before it has the project too; "
                "a hash in the lock, or STORE_INDEX_STRATEGY=unsafe-best-match, lets any index answer"
            )
        else:
            self.hint = "the version may have been deleted, or not have reached this index yet: lock again"

    @property
    def reason(self) -> str:
        """Name some versions and the places."""
        where = condense(self.searched, 3)
        return f"there is no such version in {where}, only {condense(self.versions, 5)}"


class HashNotOnIndex(PinRefused):
    """The version is there, but all of its files have other hashes; ``filenames`` are they."""

    hint = "the files changed since the lock was made, or the lock is for another index: find out why first"

    def __init__(self, pin: Pin, filenames: Sequence[str], searched: Sequence[str]) -> None:
        super().__init__(pin, filenames, searched)
        self.filenames = tuple(filenames)
        self.searched = tuple(redact(location) for location in searched)

    @property
    def reason(self) -> str:
        """Name the files and the places."""
        where = condense(self.searched, 3)
        return f"no file in {where} has a hash of the lock; there are {condense(self.filenames, 3)}"


class NoCompatibleWheel(PinRefused):
    """There are wheels, none for this interpreter; ``wheels`` are they, ``tags`` what it takes, best first."""

    hint = _OTHER_PYTHON

    def __init__(self, pin: Pin, wheels: Sequence[str], tags: Sequence[str]) -> None:
        super().__init__(pin, wheels, tags)
        self.wheels, self.tags = tuple(wheels), tuple(tags)

    @property
    def reason(self) -> str:
        """Name wheels and tags."""
        if not self.wheels:
            return "there is no wheel of this version"
        takes = ", ".join(self.tags[:3])
        return f"no wheel fits this Python, which takes {takes} and so on; there are {condense(self.wheels, 3)}"


class RequiresPythonExcludes(PinRefused):
    """Wheels fit by their tags, but say that they are not for this version of Python."""

    hint = _OTHER_PYTHON

    def __init__(self, pin: Pin, requires_python: str, python: str) -> None:
        super().__init__(pin, requires_python, python)
        self.requires_python, self.python = requires_python, python

    @property
    def reason(self) -> str:
        """Name both versions."""
        return f"it requires Python {self.requires_python}, and this is Python {self.python}"


class NeedsBuild(PinRefused):
    """Only a source is left: an sdist, a directory or a checkout.

    ``what`` names it; ``filename``, ``url`` and ``sha256`` are an sdist's, as far as known; ``wheels`` are
    the wheels that do not fit.
    """

    hint = "a wheel is needed: choose a Python that has one, or build it and add its directory with --find-links"

    def __init__(
        self,
        pin: Pin,
        what: str,
        *,
        filename: str | None = None,
        url: str | None = None,
        sha256: str | None = None,
        wheels: Sequence[str] = (),
    ) -> None:
        super().__init__(pin, what)
        self.what, self.filename, self.url, self.sha256 = what, filename, url, sha256
        self.wheels = tuple(wheels)

    @property
    def reason(self) -> str:
        """Name the source, and the wheels that are no help."""
        unfit = f"; no wheel fits this Python, there are {condense(self.wheels, 3)}" if self.wheels else ""
        return f"{self.what} needs building, which this command does not do{unfit}"


class WrongWheel(PinRefused):
    """A pin's URL or path leads to a wheel of another project or version, or to none."""

    def __init__(self, pin: Pin, filename: str) -> None:
        super().__init__(pin, filename)
        self.filename = filename

    @property
    def reason(self) -> str:
        """Name the file."""
        return f"{self.filename} is no wheel of it"


class MissingOffline(PinRefused):
    """Offline, what the pin needs is not on this machine; ``wheels`` are what would do, best first."""

    hint = "run once without --offline"

    def __init__(self, pin: Pin, wheels: Sequence[str] = ()) -> None:
        super().__init__(pin, wheels)
        self.wheels = tuple(wheels)

    @property
    def reason(self) -> str:
        """Name the wheel."""
        return f"{self.wheels[0] if self.wheels else 'its wheel'} is not in the store, and this run is offline"


class SelectionFailed(ResolveError):
    """Everything that kept a lock from being selected: ``errors``, in the order of the pins."""

    def __init__(self, errors: Sequence[ResolveError]) -> None:
        super().__init__(tuple(errors))
        self.errors = tuple(errors)
        self.hint = errors[0].hint

    def __str__(self) -> str:
        more = len(self.errors) - 1
        return f"{self.errors[0]}" + (f" (and {more} more)" if more else "")


def condense(items: Iterable[str], most: int) -> str:
    """Name the first few of several things, and count the others."""
    names = list(items)
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
