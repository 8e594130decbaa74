"""Git checkouts of what a requirement names: fetched as little as will do, never asking anybody for anything.

Credentials reach git by its environment, so that neither a list of processes nor a file shows them.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from wheelstore.resolve.errors import ResolveError
from wheelstore.resolve.pins import VcsSource, hide_credentials

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED = re.compile(r"[0-9a-f]{4,64}")
_OURS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE")
_EVERYTHING = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")


class GitMissing(ResolveError):
    """There is no git to fetch with."""

    hint = "install git, or depend on an archive of the project instead"

    def __init__(self, source: VcsSource) -> None:
        super().__init__(source)
        self.source = source

    def __str__(self) -> str:
        return f"{self.source}: git is not on the PATH"


class UnknownVcs(ResolveError):
    """A version control system that checkouts are not made from."""

    hint = "only git is supported; depend on an archive of the project instead"

    def __init__(self, source: VcsSource) -> None:
        super().__init__(source)
        self.source = source

    def __str__(self) -> str:
        return f"{self.source}: {self.source.vcs} repositories are not supported"


class GitFailed(ResolveError):
    """The repository cannot be reached, or git failed otherwise; `reason` is what it said."""

    hint = "check the address, and that 'git ls-remote' can read it without asking for a password"

    def __init__(self, source: VcsSource, reason: str) -> None:
        super().__init__(source, reason)
        self.source, self.reason = source, hide_credentials(reason)

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


class NoSuchRevision(ResolveError):
    """The repository is there, the revision is not."""

    hint = "name a branch, a tag or a commit that the repository has"

    def __init__(self, source: VcsSource) -> None:
        super().__init__(source)
        self.source = source

    def __str__(self) -> str:
        wanted = self.source.revision or self.source.commit_id
        return f"{self.source.vcs}+{hide_credentials(self.source.url)} has no revision {wanted}"


class OfflineRepository(ResolveError):
    """A repository elsewhere, and nothing may be fetched."""

    hint = "run the command without --offline"

    def __init__(self, source: VcsSource) -> None:
        super().__init__(source)
        self.source = source

    def __str__(self) -> str:
        return f"{self.source}: its repository cannot be read offline"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit, in files; `shallow` if it is without the history that some backends make versions of."""

    tree: Path
    commit_id: str
    shallow: bool


class Checkouts:
    """Checkouts below `directory`, which goes with them; each commit is fetched once. Thread-safe."""

    def __init__(self, directory: Path, environ: Mapping[str, str], *, offline: bool = False) -> None:
        self._directory, self._environ, self._offline = directory, environ, offline
        self._made: dict[tuple[str, str], Checkout] = {}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock, self._running_lock, self._stopped = threading.RLock(), threading.Lock(), False

    def commit(self, source: VcsSource) -> str:
        """The full commit that `source` means now, asking the repository for its names only.

        Empty if they do not tell, as for an abbreviated commit: then only a checkout does.

        Raises:
            ResolveError: there is no git, no such repository, or no such branch or tag.
        """
        self._check(source)
        wanted = source.commit_id or source.revision or "HEAD"
        if _COMMIT.fullmatch(wanted):
            return wanted
        names = [wanted] if wanted == "HEAD" or wanted.startswith("refs/") else _names(wanted)
        peeled = [f"{name}^{{}}" for name in names]
        found: dict[str, str] = {}
        for line in self._git(source, "ls-remote", "--", _bare(source.url), *names, *peeled).splitlines():
            commit, _, name = line.partition("\t")
            found[name] = commit
        for name, its_commit in zip(names, peeled, strict=True):
            if name in found:
                return found.get(its_commit, found[name])
        if _ABBREVIATED.fullmatch(wanted):
            return ""
        raise NoSuchRevision(source)

    def shallow(self, source: VcsSource) -> Checkout:
        """The files of what `source` means, perhaps without history.

        Raises:
            ResolveError: there is no git, no such repository, or no such revision.
        """
        with self._lock:
            wanted = source.commit_id or source.revision or "HEAD"
            known = self._made.get((source.url, wanted))
            if known is None:
                known = self._made[source.url, wanted] = self._make(source, self.commit(source))
                self._made[source.url, known.commit_id] = known
            return known

    def whole(self, source: VcsSource) -> Checkout:
        """The same with all history, tags and submodules, for a backend that looks at them.

        Raises:
            ResolveError: as `shallow`.
        """
        with self._lock:
            checkout = self.shallow(source)
            tree = checkout.tree
            if checkout.shallow:
                self._git(source, "fetch", "-q", "--unshallow", "origin", *_EVERYTHING, cwd=tree)
                checkout = Checkout(tree, checkout.commit_id, shallow=False)
                for key, made in [*self._made.items()]:
                    if made.tree == tree:
                        self._made[key] = checkout
            if (tree / ".gitmodules").exists():
                self._git(source, "submodule", "-q", "update", "--init", "--recursive", cwd=tree)
            return checkout

    def stop(self) -> None:
        """End what is running, for good."""
        with self._running_lock:
            self._stopped = True
            running = [*self._running]
        for process in running:
            with suppress(OSError):
                process.kill()

    def _make(self, source: VcsSource, commit: str) -> Checkout:
        tree = self._directory / f"checkout-{len(self._made)}"
        tree.mkdir(parents=True)
        self._git(source, "init", "-q", cwd=tree)
        self._git(source, "remote", "add", "origin", _bare(source.url), cwd=tree)
        shallow = bool(commit)
        try:
            if commit:
                self._git(source, "fetch", "-q", "--depth", "1", "origin", commit, cwd=tree)
        except GitFailed:  # not every server gives away any commit
            shallow = False
        if not shallow:
            self._git(source, "fetch", "-q", "origin", *_EVERYTHING, cwd=tree)
        try:
            wanted = commit or source.revision or "HEAD"
            found = self._git(
                source, "rev-parse", "-q", "--verify", "--end-of-options", f"{wanted}^{{commit}}", cwd=tree
            )
            self._git(source, "checkout", "-q", "--detach", found.strip(), cwd=tree)
        except GitFailed:
            raise NoSuchRevision(source) from None
        return Checkout(tree, found.strip(), shallow)

    def _check(self, source: VcsSource) -> None:
        if source.vcs != "git":
            raise UnknownVcs(source)
        if source.url.startswith("-") or (source.revision or "").startswith("-"):
            raise NoSuchRevision(source)
        if self._offline and not source.url.startswith("file:"):
            raise OfflineRepository(source)

    def _git(self, source: VcsSource, *arguments: str, cwd: Path | None = None) -> str:
        """Run git; what it says on stdout."""
        try:
            process = self._start(source, arguments, cwd)
        except FileNotFoundError:
            raise GitMissing(source) from None
        except OSError as error:
            raise GitFailed(source, f"git: {error.strerror}") from None
        try:
            output, errors = process.communicate()
        finally:
            with self._running_lock:
                self._running.discard(process)
            if process.returncode is None:
                process.kill()
                process.wait()
        if process.returncode:
            raise GitFailed(source, _reason(errors.decode("utf-8", "replace"), process.returncode))
        return output.decode("utf-8", "replace")

    def _start(self, source: VcsSource, arguments: tuple[str, ...], cwd: Path | None) -> subprocess.Popen[bytes]:
        with self._running_lock:
            if self._stopped:
                raise InterruptedError(0, "everything is being stopped")
            process = subprocess.Popen(
                ["git", *arguments],
                cwd=cwd,
                env=_variables(self._environ, source.url),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self._running.add(process)
            return process


def _names(revision: str) -> list[str]:
    """The references that a revision can be short for, in git's order."""
    return [f"refs/tags/{revision}", f"refs/heads/{revision}"]


def _bare(url: str) -> str:
    """A URL without the credentials of HTTP; the user of SSH is part of an address."""
    return hide_credentials(url) if url.startswith(("http:", "https:")) else url


def _variables(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """The environment for git: not of a repository that we are called from, not asking, with the URL's credentials."""
    variables = {name: text for name, text in environ.items() if name not in _OURS}
    variables |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "GCM_INTERACTIVE": "never"}
    variables |= {"LC_ALL": "C", "GIT_LFS_SKIP_SMUDGE": "1"}
    variables.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
    if _bare(url) != url:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        settings = {f"url.{parts.scheme}://{parts.netloc}/.insteadOf": origin}
        count = int(variables.get("GIT_CONFIG_COUNT") or 0)
        for at, (name, text) in enumerate(settings.items(), count):
            variables |= {f"GIT_CONFIG_KEY_{at}": name, f"GIT_CONFIG_VALUE_{at}": text}
        variables["GIT_CONFIG_COUNT"] = str(count + len(settings))
    return variables


def _reason(said: str, status: int) -> str:
    """The one line of what git said that tells most."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
    return telling[0].partition(": ")[2] or telling[0] if telling else f"git exited with {status}"
