"""A file of an index read in parts, so that a wheel's metadata can be recorded without the wheel."""

from __future__ import annotations

import io
import ssl
import urllib.request

AHEAD = 64 * 1024  # a wheel's directory and its metadata are at its end


class RemoteFile(io.RawIOBase):
    """What is at an address, by requests for ranges (RFC 9110, 14); the end of it is asked for at once.

    Raises:
        OSError: the server has no ranges.
    """

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        super().__init__()
        self._url, self._tls, self._at = url, tls, 0
        self._tail, self._size = self._ask(f"-{AHEAD}")

    def _ask(self, span: str) -> tuple[bytes, int]:
        request = urllib.request.Request(self._url, headers={"Range": f"bytes={span}"})
        with urllib.request.urlopen(request, context=self._tls) as reply:
            if reply.status != 206:
                message = f"no ranges of {self._url}"
                raise OSError(message)
            return reply.read(), int(reply.headers["Content-Range"].rpartition("/")[2])

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place, as with any file."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read from here on."""
        stop = self._size if size < 0 else min(self._at + size, self._size)
        if stop <= self._at:
            return b""
        tail_at = self._size - len(self._tail)
        if self._at >= tail_at:
            content = self._tail[self._at - tail_at : stop - tail_at]
        else:
            content, _ = self._ask(f"{self._at}-{stop - 1}")
        self._at += len(content)
        return content
