"""The server's side of the worker: asks for tokens, and never notices that a worker died."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncGenerator

from trtllm_install.simulator.checkpoint import LoadError
from trtllm_install.simulator.faults import Faults


def await_load(link: socket.socket) -> None:
    """Wait until the worker says that it has loaded; LoadError with its text when it could not.

    A worker that died meanwhile is waited for without end: the real server does not notice either.
    """
    received = b""
    while not received.endswith(b"\n"):
        data = link.recv(65536)
        while not data:
            signal.pause()
        received += data
    verb, _, rest = received.decode().strip().partition(" ")
    if verb == "failed":
        raise LoadError(json.loads(rest))


class Engine(asyncio.Protocol):
    """Requests in, numbers of tokens out."""

    def __init__(self, worker_pid: int) -> None:
        self.worker_pid = worker_pid
        self.running = 0
        self.finished = 0
        self.aborted = 0
        self._last = 0
        self._received = b""
        self._arrivals: dict[str, asyncio.Queue[int]] = {}
        self._stopped = asyncio.Event()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the worker."""
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand tokens to the requests that wait for them."""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            verb, *rest = line.decode().split(" ")
            if verb == "stopped":
                self._stopped.set()
            elif rest[0] in self._arrivals:
                self._arrivals[rest[0]].put_nowait(int(rest[1]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Do nothing: whoever waits goes on waiting, which is the fault this stands for."""
        del exc
        self._transport = None

    async def generate(self, count: int) -> AsyncGenerator[int, None]:
        """Yield how many more tokens are ready until ``count`` are; aborts when left early."""
        self._last += 1
        request = str(self._last)
        arrivals = self._arrivals[request] = asyncio.Queue()
        self.running += 1
        left = count
        try:
            self._send(f"start {request} {count}")
            while left:
                ready = await arrivals.get()
                left -= ready
                yield ready
        finally:
            del self._arrivals[request]
            self.running -= 1
            if left:
                self.aborted += 1
                self._send(f"abort {request}")
            else:
                self.finished += 1

    def tell_faults(self, faults: Faults) -> None:
        """Let the worker behave in another way from now on."""
        self._send(f"faults {json.dumps(faults.document())}")

    async def stop(self) -> None:
        """Ask the worker to end and wait for its word, without limit."""
        self._send("stop")
        await self._stopped.wait()

    def _send(self, line: str) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(line.encode() + b"\n")
