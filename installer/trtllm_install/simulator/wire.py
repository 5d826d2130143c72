"""HTTP/1.1 as bytes: requests out of a stream, heads and chunks into one."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

SERVER = "trtllm-serve-simulated"
_HEAD_LIMIT = 64 * 1024  # bytes
_LINE_LIMIT = 4096  # bytes of one chunk-size or trailer line


class MalformedRequestError(Exception):
    """These bytes are not an HTTP request; the connection cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, read whole."""

    method: str
    path: str  # without the query
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    version: str  # "HTTP/1.0" or "HTTP/1.1"

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to use the connection again."""
        wish = self.headers.get("connection", "").lower()
        return "keep-alive" in wish if self.version == "HTTP/1.0" else "close" not in wish


class RequestReader:
    """Takes bytes as they come and gives whole requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: tuple[str, str, str, dict[str, str]] | None = None
        self._body = bytearray()
        self._left = 0  # bytes of the body, or of the present chunk, still to come
        self._phase = "head"
        self._greeted = False

    @property
    def is_between_requests(self) -> bool:
        """Whether nothing of a next request has come yet."""
        return self._phase == "head" and not self._buffer

    def wants_continue(self) -> bool:
        """Tell once whether the client waits for ``100 Continue`` before it sends the body."""
        expects = self._head is not None and self._head[3].get("expect", "").lower()
        wants = expects == "100-continue" and not self._greeted and not self._body
        self._greeted = self._greeted or wants
        return wants

    def feed(self, data: bytes) -> None:
        """Add what has come."""
        self._buffer += data

    def next_request(self) -> Request | None:
        """Return the next whole request, None while it is not whole; MalformedRequestError."""
        while True:
            before = (self._phase, len(self._buffer))
            step = {
                "head": self._read_head,
                "body": self._read_body,
                "size": self._read_size,
                "chunk": self._read_body,
                "trailer": self._read_trailer,
            }
            step[self._phase]()
            if self._phase == "done":
                return self._finish()
            if before == (self._phase, len(self._buffer)):
                return None

    def _read_head(self) -> None:
        while self._buffer[:2] == b"\r\n":  # a blank line before a request is allowed
            del self._buffer[:2]
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise MalformedRequestError("head too large")
            return
        first, *lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        parts = first.split(" ")
        if len(parts) != 3 or parts[2] not in ("HTTP/1.0", "HTTP/1.1"):  # noqa: PLR2004 (method, target, version)
            raise MalformedRequestError("bad request line")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                raise MalformedRequestError("bad header line")
            headers[name.lower()] = value.strip()
        self._head = (parts[0], parts[1].split("?", 1)[0], parts[2], headers)
        self._begin_body(headers)

    def _begin_body(self, headers: Mapping[str, str]) -> None:
        length = headers.get("content-length")
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked" or length is not None:
                raise MalformedRequestError("bad framing")
            self._phase = "size"
            return
        if length is not None and not (length.isascii() and length.isdecimal()):
            raise MalformedRequestError("bad content length")
        self._left = int(length or 0)
        self._phase = "body" if self._left else "done"

    def _read_body(self) -> None:
        part = self._buffer[: self._left]
        self._body += part
        del self._buffer[: len(part)]
        self._left -= len(part)
        if self._left:
            return
        if self._phase == "body":
            self._phase = "done"
        elif len(self._buffer) >= 2:  # noqa: PLR2004 (the line end of a chunk)
            if self._buffer[:2] != b"\r\n":
                raise MalformedRequestError("bad end of chunk")
            del self._buffer[:2]
            self._phase = "size"

    def _read_size(self) -> None:
        line = self._take_line()
        if line is None:
            return
        digits = line.split(b";", 1)[0].strip()
        try:
            self._left = int(digits, 16)
        except ValueError:
            raise MalformedRequestError("bad chunk size") from None
        if self._left < 0:
            raise MalformedRequestError("bad chunk size")
        self._phase = "chunk" if self._left else "trailer"

    def _read_trailer(self) -> None:
        line = self._take_line()
        if line == b"":
            self._phase = "done"

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, _LINE_LIMIT)
        if end < 0:
            if len(self._buffer) > _LINE_LIMIT:
                raise MalformedRequestError("line too long")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _finish(self) -> Request:
        assert self._head is not None  # noqa: S101 (a body has a head before it)
        method, path, version, headers = self._head
        request = Request(
            method=method, path=path, headers=headers, body=bytes(self._body), version=version
        )
        self._head, self._body, self._phase, self._greeted = None, bytearray(), "head", False
        return request


def render_head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return status line and headers of an answer."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Server: {SERVER}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def render_chunk(data: bytes) -> bytes:
    """Return one chunk; no data gives the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)
