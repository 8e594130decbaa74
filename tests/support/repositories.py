"""Git repositories for tests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from wheelstore.resolve.pins import VcsSource


class Repository:
    """A repository with two commits: the first is tagged ``v1`` (annotated), the second is on ``main``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")
        self.first = self.commit("one")
        self.git("tag", "-a", "v1", "-m", "version 1")
        self.second = self.commit("two")

    def git(self, *arguments: str) -> str:
        """Run git in it, as nobody in particular."""
        person = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environ = {**os.environ, **person, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        ran = subprocess.run(
            ["git", *arguments], cwd=self.path, env=environ, check=True, capture_output=True, text=True
        )
        return ran.stdout.strip()

    def commit(self, text: str) -> str:
        """Write `text` into ``file``; the commit."""
        (self.path / "file").write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")

    def source(self, revision: str | None = None, **more: str) -> VcsSource:
        """A requirement's source for it."""
        return VcsSource(vcs="git", url=self.path.as_uri(), revision=revision, **more)  # type: ignore[arg-type]
