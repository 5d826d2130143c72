"""A room for each test of the launcher: specs, folders, launchers, a supervisor's ear."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from trtllm_install.launcher import tree
from trtllm_install.model.launchspec import LaunchSpec
from trtllm_install.model.liveness import DEFAULTS, Liveness

ENGINE = Path(__file__).with_name("fake_engine.py")
INSTALLER = Path(__file__).parents[2] / "installer"
DEADLINE_S = 20.0
# A machine that is loaded makes an engine slow, and slow is what these excuse.
PATIENT = {"busy_s": 600.0, "lines_vouch_s": 300.0}


def await_true(condition: Callable[[], Any], words: str, deadline_s: float = DEADLINE_S) -> Any:
    """Return the first true value of ``condition``; AssertionError after the deadline."""
    until = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < until, f"{words}: not within {deadline_s} s"
        time.sleep(0.005)
    return value


def pick_port() -> int:
    """Return a free port outside the ephemeral range, so that no client takes it meanwhile."""
    while True:
        port = random.randrange(20000, 30000)
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                continue
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def is_alive(pid: int) -> bool:
    process = tree.read_process(pid)
    return process is not None and process.alive


def hurried(seconds: float) -> Liveness:
    """Return thresholds of which none is longer than ``seconds``."""
    waits = {name: value for name, value in DEFAULTS.items() if name.endswith("_s")}
    return Liveness(**{name: min(value, seconds) for name, value in waits.items()} | PATIENT)


class Launcher:
    """One running ``trtllm-supervise``."""

    def __init__(self, room: "Room", name: str, environment: dict[str, str]) -> None:
        self.name = name
        self.log = room.folder / f"{name}.log"
        self._room = room
        command = [sys.executable, "-m", "trtllm_install.launcher.main", "--spec-dir"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(room.specs), name],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(INSTALLER),
                    "NOTIFY_SOCKET": room.ear.getsockname(),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def state(self) -> dict[str, Any]:
        """What its state file says; empty before it says anything of its own."""
        content = self._room.read_state(self.name)
        return content if content.get("pid") == self.process.pid else {}

    def await_state(self, *states: str, deadline_s: float = DEADLINE_S) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            content = self.state
            return content if content.get("state") in states else None

        words = f"{self.name} {' or '.join(states)}, found {self.state}"
        return await_true(reached, words, deadline_s)

    def await_status(self, text: str, deadline_s: float = DEADLINE_S) -> str:
        def said() -> str | None:
            status = self.state.get("status", "")
            return status if text in status else None

        return await_true(said, f"{self.name} says {text!r}", deadline_s)

    def await_line(self, text: str) -> None:
        await_true(lambda: text in self.log.read_text(errors="replace"), f"a line with {text!r}")

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.await_exit()

    def await_exit(self, deadline_s: float = DEADLINE_S) -> int:
        return self.process.wait(deadline_s)

    def fault(self, **faults: str) -> None:
        """Switch faults of the engine while it runs."""
        with socket.create_connection(("127.0.0.1", self.state["port"]), 5) as sock:
            sock.sendall(f"POST /fault?{urlencode(faults)} HTTP/1.1\r\n\r\n".encode())
            assert b" 200 " in sock.recv(4096)


class Room:
    """Specs, state and run folders of one test, and every launcher in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.specs = folder / "specs"
        self.run = folder / "run"
        self.specs.mkdir()
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(str(folder / "notify"))
        self.heard: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()
        self.launchers: list[Launcher] = []

    def write_spec(self, name: str, *options: str, **fields: Any) -> int:
        """Write a spec that runs the fake engine with ``options``; return its port."""
        port = fields.pop("port", None) or pick_port()
        values: dict[str, Any] = {
            "kind": "engine",
            "argv": (sys.executable, "-S", str(ENGINE), "--port", str(port), *options),
            "environment": {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)},
            "generate_path": "/health_generate",
            "stop_grace_s": 5,
            "drain_s": 5,
            "run_dir": str(self.run),
            "state_dir": str(self.state_dir(name)),
            **fields,
        }
        if "canary_idle_s" in fields and "liveness" not in fields:
            values["liveness"] = hurried(fields["canary_idle_s"])
        spec = LaunchSpec(name=name, host="127.0.0.1", port=port, **values)
        (self.specs / f"{name}.json").write_text(spec.to_json())
        return port

    def write_simulated(self, name: str, folder: Path, *, faults: str, **fields: Any) -> int:
        """Write a spec that runs the simulated engine on a checkpoint; return its port."""
        port = pick_port()
        module = ("-m", "trtllm_install.simulator.main")
        words = ("serve", str(folder), "--host", "127.0.0.1", "--port", str(port))
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(INSTALLER),
            "TRTLLM_SIMULATED_FAULTS": faults,
        }
        size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
        given = {"environment": environment, "weights": str(folder), "weights_bytes": size}
        argv = (sys.executable, *module, *words)
        return self.write_spec(name, port=port, argv=argv, **{**given, **fields})

    def start(self, name: str, **environment: str) -> Launcher:
        launcher = Launcher(self, name, environment)
        self.launchers.append(launcher)
        return launcher

    def state_dir(self, name: str) -> Path:
        return self.folder / "state" / name

    def read_state(self, name: str) -> dict[str, Any]:
        try:
            content = json.loads((self.run / f"{name}.json").read_text())
        except FileNotFoundError:
            return {}
        assert isinstance(content, dict)
        return content

    def read_starts(self, name: str) -> list[dict[str, Any]]:
        """Return the starts that the launcher of a service has recorded, newest last."""
        content = json.loads((self.state_dir(name) / "timeline.json").read_text())
        assert isinstance(content["starts"], list)
        return content["starts"]

    def write_state(self, name: str, **content: object) -> None:
        """Write the state file of a service that no launcher of this room runs."""
        self.run.mkdir(exist_ok=True)
        new = self.run / f"{name}.new"
        new.write_text(json.dumps({"pid": os.getpid(), **content}))
        new.rename(self.run / f"{name}.json")

    def await_message(self, line: str) -> None:
        """Wait until the supervisor has been told ``line``."""
        await_true(lambda: self.has_heard(line), f"the supervisor hears {line!r}")

    def has_heard(self, line: str) -> bool:
        return any(line in message.split("\n") for message in self.heard)

    def _listen(self) -> None:
        # The kernel queues ten datagrams: somebody has to take them, as systemd does.
        while message := self.ear.recv(65536).decode():
            self.heard.append(message)

    def processes(self) -> list[int]:
        """Return every living process that carries a mark of this room."""
        mark = f"TRTLLM_SUPERVISED={self.run}/"
        return [
            process.pid
            for process in tree.read_processes()
            if process.alive and mark in tree.read_proc(f"{process.pid}/environ")
        ]

    def close(self) -> None:
        for launcher in self.launchers:
            if launcher.process.poll() is None:
                launcher.process.kill()
                launcher.process.wait()
        for pid in self.processes():
            tree.send_signal(pid, signal.SIGKILL)
        await_true(lambda: not self.processes(), "an empty room")
        for launcher in self.launchers:
            assert "internal error" not in launcher.log.read_text(errors="replace")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mouth:
            mouth.sendto(b"", self.ear.getsockname())  # ends the listener
