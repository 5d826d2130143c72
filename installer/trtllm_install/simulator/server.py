"""Connections: reads requests, lets the application answer them, and notices who goes away."""

import asyncio
import json
import socket
from typing import TYPE_CHECKING

from trtllm_install.simulator.journal import say
from trtllm_install.simulator.wire import (
    MalformedRequestError,
    Request,
    RequestReader,
    render_chunk,
    render_head,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEEP_ALIVE_S = 5.0
_BACKLOG = 2048


class StreamCutError(Exception):
    """The application breaks off a stream: the client must see that the end is missing."""


class Server:
    """Everything that is connected to one port."""

    def __init__(self, answer: "Callable[[Request, Connection], Awaitable[None]]") -> None:
        self.answer = answer
        self.stopping = False
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._listener: asyncio.Server | None = None

    async def listen(self, bound: socket.socket) -> None:
        """Begin to accept connections on a socket that is bound already."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self), sock=bound, backlog=_BACKLOG
        )

    async def drain(self) -> None:
        """Stop accepting, close idle connections, wait without limit for running requests."""
        self.stopping = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self._connections):
            connection.close_if_idle()
        self._note()
        await self._empty.wait()

    def enter(self, connection: "Connection") -> None:
        """Count a connection in."""
        self._connections.add(connection)

    def leave(self, connection: "Connection") -> None:
        """Count a connection out."""
        self._connections.discard(connection)
        self._note()

    def _note(self) -> None:
        if self.stopping and not self._connections:
            self._empty.set()


class Connection(asyncio.Protocol):
    """One client. A request that is being answered is cancelled when its client goes away."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._reader = RequestReader()
        self._transport: asyncio.Transport
        self._peer = "-"
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._status = 0
        self._close_after = False
        self._chunked = True
        self._bodiless = False  # the answer to HEAD is a head without its body

    # the protocol's side --------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (TCP gives no other)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = f"{peer[0]}:{peer[1]}" if peer else "-"
        self._server.enter(self)
        self._rest()

    def data_received(self, data: bytes) -> None:
        """Read on; answer when a request is whole and none is being answered."""
        self._reader.feed(data)
        if self._task is None:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Abort what is being answered."""
        del exc
        self._wake()
        self._server.leave(self)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Hold the application back: the client reads more slowly than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let the application go on."""
        self._writable.set()

    def close_if_idle(self) -> None:
        """Close unless a request is being answered."""
        self._close_after = True
        if self._task is None:
            self._transport.close()

    # the application's side -----------------------------------------------------

    async def send(self, status: int, body: bytes = b"", *, kind: str = "application/json") -> None:
        """Answer with one body."""
        headers = {"Content-Length": str(len(body))}
        if body:
            headers["Content-Type"] = kind
        self._begin(status, headers, b"" if self._bodiless else body)
        await self._writable.wait()

    async def send_json(self, status: int, document: object) -> None:
        """Answer with one JSON document."""
        await self.send(status, json.dumps(document).encode())

    def begin_stream(self) -> None:
        """Answer 200 with events to come."""
        headers = {"Content-Type": "text/event-stream; charset=utf-8"}
        if self._chunked:
            headers["Transfer-Encoding"] = "chunked"
        self._begin(200, headers)

    async def send_event(self, data: str) -> None:
        """Send one server-sent event in one chunk."""
        event = f"data: {data}\n\n".encode()
        self._transport.write(render_chunk(event) if self._chunked else event)
        await self._writable.wait()

    def end_stream(self) -> None:
        """Send the end that a client of a cut stream misses."""
        if self._chunked:
            self._transport.write(render_chunk(b""))

    def _begin(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self._status = status
        if self._close_after or self._server.stopping:
            self._close_after = True
            headers["Connection"] = "close"
        self._transport.write(render_head(status, headers) + body)

    # one request after the other ------------------------------------------------

    def _next(self) -> None:
        self._wake()
        if self._transport.is_closing():
            return
        try:
            request = self._reader.next_request()
        except MalformedRequestError as error:
            self._close_after = True
            body = f"Invalid HTTP request received: {error}\n".encode()
            self._begin(400, {"Content-Length": str(len(body)), "Content-Type": "text/plain"}, body)
            self._transport.close()
            return
        if request is not None:
            self._close_after = not request.keeps_alive
            self._chunked = request.version != "HTTP/1.0"
            self._bodiless = request.method == "HEAD"
            self._task = asyncio.get_running_loop().create_task(self._run(request))
        elif self._reader.wants_continue():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif self._reader.is_between_requests:
            self._rest()

    async def _run(self, request: Request) -> None:
        self._status = 0
        line = f'{self._peer} - "{request.method} {request.path}"'
        try:
            await self._server.answer(request, self)
            say(f"{line} {self._status}")
        except asyncio.CancelledError:
            say(f"{line} aborted: the client is gone")
            return
        except StreamCutError:
            say(f"{line} cut")
            self._transport.abort()
            return
        except Exception as error:  # noqa: BLE001 (one request must not end the server)
            say(f"{line} failed: {error!r}")
            self._transport.abort()
            return
        finally:
            self._task = None
        if self._close_after or self._server.stopping:
            self._transport.close()
        else:
            self._next()

    def _rest(self) -> None:
        """Wait for a next request for as long as uvicorn does."""
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(KEEP_ALIVE_S, self.close_if_idle)

    def _wake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
