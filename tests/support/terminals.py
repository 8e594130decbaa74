"""The command on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess

from support.commands import store_script


def on_a_terminal(*words: str, **variables: str) -> str:
    """What the command shows on a terminal that takes its output and errors."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [store_script(), *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", **variables},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 1 << 16)
        except OSError:  # how Linux says that the other side is closed
            part = b""
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait() == 0, shown
    return shown.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    """Text without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)
