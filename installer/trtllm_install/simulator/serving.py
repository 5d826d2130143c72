"""From loaded to stopped: listens, answers, and ends as uvicorn does."""

import asyncio
import signal
import socket
from dataclasses import dataclass

from trtllm_install.simulator.application import Application, Settings
from trtllm_install.simulator.company import Flood, start_zombies
from trtllm_install.simulator.engine import Engine
from trtllm_install.simulator.faults import Faults
from trtllm_install.simulator.journal import say
from trtllm_install.simulator.server import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How the serving ended."""

    signal: signal.Signals
    orphan: bool  # the worker is left behind, and is not to be waited for


def serve_until_signal(
    settings: Settings,
    faults: Faults,
    flood: Flood,
    *,
    bound: socket.socket,
    link: socket.socket,
    worker_pid: int,
) -> End:
    """Serve until SIGTERM or SIGINT and until all running requests are done.

    Waits for running requests without limit, then for the worker, also without limit: with a
    worker that hangs or is dead only SIGKILL ends this process, as with the real one. A second
    SIGINT waits for neither.
    """
    application = Application(settings, Engine(worker_pid), faults, flood)
    return asyncio.run(_serve(application, settings.name, bound, link))


async def _serve(
    application: Application, name: str, bound: socket.socket, link: socket.socket
) -> End:
    loop = asyncio.get_running_loop()
    engine, faults = application.engine, application.faults
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGINT,) if faults.ignore_term else (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    await loop.create_connection(lambda: engine, sock=link)
    start_zombies(faults.zombies)
    server = Server(application.answer)
    await server.listen(bound)
    host, port = bound.getsockname()[:2]
    say(f"serving {name} on {host}:{port}, worker is process {engine.worker_pid}")
    stopped_by = await signals.get()
    say(f"stopping on {stopped_by.name}: waiting for {engine.running} running requests")
    drained = loop.create_task(server.drain())
    while not drained.done():
        hurry = loop.create_task(signals.get())
        await asyncio.wait({drained, hurry}, return_when=asyncio.FIRST_COMPLETED)
        if hurry.done() and hurry.result() == signal.SIGINT:
            drained.cancel()
            return End(signal=stopped_by, orphan=application.faults.orphan)
        hurry.cancel()
    say("stopping the worker")
    await engine.stop()
    say("stopped")
    return End(signal=stopped_by, orphan=application.faults.orphan)
