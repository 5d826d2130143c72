"""A small HTTP request on a raw socket that never blocks the loop.

``http.client`` would cost 7 MB of memory for each service (measured, Python 3.11).
"""

import errno
import os
import select
import socket
from time import monotonic

from trtllm_install.launcher.loop import Loop

_LIMIT = 65536  # bytes of an answer that are looked at
_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104 (not bound)


class Request:
    """One request under way; look at ``done``, then at ``status`` or ``error``.

    Over TCP the answer is read to its end and the connection closed from this
    side: the side that closes first keeps the port in TIME_WAIT, and trtllm-serve,
    which binds without SO_REUSEADDR, could not restart (NVIDIA/TensorRT-LLM#17915).
    """

    def __init__(
        self, loop: Loop, address: tuple[str, int] | str, path: str, *, method: str, timeout: float
    ) -> None:
        self.done = False
        self.connected = False
        self.status: int | None = None
        self.body = b""
        self.error = (
            ""  # why there is no status: "refused", "silent", "closed" or the system's words
        )
        self.deadline = monotonic() + timeout
        self._loop = loop
        self._data = b""
        unix = isinstance(address, str)
        host = "localhost" if unix else f"{address[0]}:{address[1]}"
        # HTTP/1.0 on the unix socket: the answer ends with the connection and is never chunked.
        version = "1.0" if unix else "1.1"
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        self._request = f"{method} {path} HTTP/{version}\r\nHost: {host}\r\n{length}\r\n".encode()
        self._until_closed = unix
        self._connect(address)

    def check_deadline(self) -> None:
        """End the request as "silent" once its time is over."""
        if not self.done and monotonic() >= self.deadline:
            self._finish("silent")

    def cancel(self) -> None:
        """Close the connection if it is still open."""
        if not self.done:
            self._finish("cancelled")

    def _connect(self, address: tuple[str, int] | str) -> None:
        if isinstance(address, str):
            family, target = socket.AF_UNIX, address
        else:
            host = _LOOPBACK_OF.get(address[0], address[0])
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            target = (host, address[1])  # type: ignore[assignment]  # one or the other
        self._sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        code = self._sock.connect_ex(target)
        if code in {0, errno.EINPROGRESS}:
            self._loop.register(self._sock.fileno(), select.POLLOUT, self._send)
        else:
            self._finish(_words(code))

    def _send(self, _events: int) -> None:
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._finish(_words(code))
            return
        if not self._until_closed and self._sock.getsockname() == self._sock.getpeername():
            # A closed port in the ephemeral range can be answered by our own socket.
            self._finish("refused")
            return
        self.connected = True
        try:
            self._sock.send(self._request)
        except OSError as error:
            self._finish(_words(error.errno))
            return
        self._loop.register(self._sock.fileno(), select.POLLIN, self._receive)

    def _receive(self, _events: int) -> None:
        try:
            chunk = self._sock.recv(_LIMIT)
        except BlockingIOError:
            return
        except OSError as error:
            self._finish(_words(error.errno))
            return
        self._data += chunk
        complete = not self._until_closed and is_complete(self._data)
        if complete or not chunk or len(self._data) >= _LIMIT:
            self.status = parse_status(self._data)
            self.body = self._data.partition(b"\r\n\r\n")[2]
            self._finish("" if self.status else "closed")

    def _finish(self, error: str) -> None:
        self.error = error
        self.done = True
        self._loop.unregister(self._sock.fileno())
        self._sock.close()


def parse_status(data: bytes) -> int | None:
    """Return the status of an answer, None if ``data`` does not begin like one."""
    words = data[:64].split(b" ", 2)
    if len(words) > 1 and words[0].startswith(b"HTTP/") and words[1][:3].isdigit():
        return int(words[1][:3])
    return None


def is_complete(data: bytes) -> bool:
    """Tell whether ``data`` holds a whole answer of a connection that is kept open."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            return len(body) >= int(value)
        if name.lower() == b"transfer-encoding" and b"chunked" in value.lower():
            return body.endswith(b"0\r\n\r\n")
    return False  # the other side ends it by closing


def _words(code: int | None) -> str:
    return "refused" if code == errno.ECONNREFUSED else os.strerror(code or 0).lower()
