"""Some small wheels that between them have everything that a sync treats in a way of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from support.wheels import make_wheel, sha256_of


@dataclass(frozen=True, slots=True)
class Universe:
    """A directory of wheels, and locks that name them."""

    directory: Path
    wheels: dict[str, Path]

    def pin(self, spelling: str, *, marker: str = "", hashed: bool = True) -> str:
        """A lock's line for ``name==version``."""
        line = f"{spelling} ; {marker}" if marker else spelling
        return f"{line} --hash=sha256:{sha256_of(self.wheels[spelling])}" if hashed else line

    def lock(self, path: Path, *spellings: str, hashed: bool = True) -> Path:
        """A lock at `path` that pins these."""
        path.write_text("".join(f"{self.pin(spelling, hashed=hashed)}\n" for spelling in spellings))
        return path


def make_universe(directory: Path) -> Universe:
    """Write the wheels."""
    made = [
        make_wheel(
            directory,
            "alpha",
            "1.0",
            files={"alpha/__init__.py": b"value = 1\n", "alpha/old.py": b"", "alpha/data.bin": b"\0" * 5000},
            entry_points={"console_scripts": {"alpha": "alpha:main", "alpha-old": "alpha.old:main"}},
        ),
        make_wheel(
            directory,
            "alpha",
            "2.0",
            files={"alpha/__init__.py": b"value = 2\n", "alpha/new.py": b"", "alpha/data.bin": b"\0" * 5000},
            entry_points={"console_scripts": {"alpha": "alpha:main"}},
        ),
        make_wheel(
            directory,
            "beta",
            "1.0",
            scripts={
                "beta-tool": b"#!python\nimport beta\nprint(beta.__version__)\n",
                "beta.sh": b"#!/bin/sh\necho beta\n",
            },
            data={"data/share/beta/beta.txt": b"beta\n", "headers/beta.h": b"/* beta */\n"},
        ),
        make_wheel(directory, "gamma", "1.0", files={"gamma.py": b"import alpha\n"}),
        make_wheel(directory, "delta", "1.0", files={"shared/one.py": b"delta\n", "delta.py": b""}),
        make_wheel(directory, "echo", "1.0", files={"shared/one.py": b"echo\n", "echo.py": b""}),
        make_wheel(directory, "foxtrot", "1.0", files={"shared/one.py/__init__.py": b"foxtrot\n"}),
        make_wheel(directory, "pip", "99.0", files={"pip/__init__.py": b"", "pip/__main__.py": b"print('pip 99.0')\n"}),
    ]
    return Universe(directory, {"==".join(wheel.name.split("-")[:2]): wheel for wheel in made})
