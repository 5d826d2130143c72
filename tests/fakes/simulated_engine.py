"""Starts the simulated engine as a process of its own, and leaves nothing behind."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trtllm_install.simulator.weights import simulated_checkpoint

QWEN = "nvidia/Qwen3-30B-A3B-FP4"
NEMOTRON = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"
INSTALLER = Path(__file__).parents[2] / "installer"


def write_checkpoint(root: Path, model: str) -> Path:
    """Write a simulated checkpoint into a folder named as the model, and return the folder."""
    folder = root / model
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in simulated_checkpoint(model).items():
        (folder / name).write_bytes(content)
    return folder


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], *, seconds: float = 20.0) -> Any:
    """Return the first true value of a condition; AssertionError when the deadline passes."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition did not become true in time"
        threading.Event().wait(0.01)
    return value


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    with contextlib.suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


class RunningEngine:
    """One simulated engine, running or ended."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    def listens(self) -> bool:
        """Tell whether it accepts connections."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def await_listening(self) -> None:
        """Wait until it listens; fail at once when it ends instead."""

        def listening() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log}"
            return self.listens()

        wait_for(listening)

    def connect(self, timeout: float = 20.0) -> http.client.HTTPConnection:
        """Return a connection of the standard library's client."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(
        self, method: str, path: str, body: object = None, *, timeout: float = 20.0
    ) -> tuple[int, Any]:
        """Make one request; return the status and the answer, read as JSON where it is JSON."""
        connection = self.connect(timeout)
        try:
            data = json.dumps(body).encode() if body is not None else None
            connection.request(method, path, data)
            answer = connection.getresponse()
            content = answer.read()
            if content and answer.headers.get("Content-Type") == "application/json":
                return answer.status, json.loads(content)
            return answer.status, content.decode()
        finally:
            connection.close()

    def state(self) -> dict[str, Any]:
        """Return what /simulated/state says."""
        return dict(self.ask("GET", "/simulated/state")[1])

    def switch(self, **faults: object) -> None:
        """Switch faults while it serves."""
        status, answer = self.ask("POST", "/simulated/faults", faults)
        assert status == 200, answer


@contextlib.contextmanager
def simulated_engine(
    root: Path,
    *arguments: str,
    model: str = QWEN,
    faults: str = "load_seconds=0",
    config: str | None = None,
    wait: bool = True,
    port: int | None = None,
    whole: bool = True,
) -> Iterator[RunningEngine]:
    """Run a simulated engine until the block ends; then it and its worker are gone.

    With ``whole`` its checkpoint is written first; else it is taken as it lies there.
    """
    folder = write_checkpoint(root, model) if whole else root / model
    port = port or free_port()
    words = [str(folder), "--host", "127.0.0.1", "--port", str(port), *arguments]
    if config is not None:
        (root / f"{port}.yaml").write_text(config)
        words += ["--config", str(root / f"{port}.yaml")]
    log = root / f"{port}.log"
    environment = {**os.environ, "PYTHONPATH": str(INSTALLER), "TRTLLM_SIMULATED_FAULTS": faults}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "trtllm_install.simulator.main", "serve", *words],
            stderr=stderr,
            env=environment,
        )
    engine = RunningEngine(process, port, log)
    try:
        if wait:
            engine.await_listening()
        yield engine
    finally:
        workers = children_of(process.pid)
        process.kill()
        process.wait()
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
