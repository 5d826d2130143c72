"""A host on which the fault matrix runs: instances beside one another, one proxy in front.

Runs inside a lab host, where the tool is installed; what is installed there for one
instance is copied for each cell, so units, programs and specs are the real ones.
"""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lab.fault_cells import BACKOFF, BUDGETS, FAULTS, LIVENESS, Cell
from trtllm_install.launcher import tree
from trtllm_install.model import layout
from trtllm_install.model.proxyspec import ProxySpec, Upstream
from trtllm_install.render.openresty import render_proxy

T = TypeVar("T")
PATTERN = "qwen"  # the instance that was installed
CONFIGS = Path("/var/lib/trtllm/matrix")
PROXY_PORT = 8000


def await_true(condition: Callable[[], T], words: str, seconds: float) -> T:
    """Return the first true value of a condition; TimeoutError after so many seconds."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > until:
            raise TimeoutError(f"{words}: not within {seconds} s")
        time.sleep(0.05)
    return value


class Supervisor(Protocol):
    """What is asked of systemd and supervisord."""

    def begin(self, names: list[str]) -> None:
        """Know these services, and start them."""

    def restart(self, name: str) -> None:
        """Do as an operator does; returns at once."""

    def describe(self, name: str) -> str:
        """Return what it shows of a service to an operator."""

    def end(self, names: list[str]) -> None:
        """Stop these services and forget them."""


class Systemd:
    """Units copied from the installed one."""

    def begin(self, names: list[str]) -> None:
        """Write a unit for each, and start it."""
        text = Path(f"{layout.UNITS}/{layout.unit(PATTERN)}").read_text(encoding="utf-8")
        for name in names:
            mine = text.replace(f"supervise {PATTERN}\n", f"supervise {name}\n")
            mine = mine.replace(f"trtllm/{PATTERN}\n", f"trtllm/{name}\n")
            mine = mine.replace("[Service]\n", f"[Service]\nEnvironment=TRTLLM_BACKOFF={BACKOFF}\n")
            if name != "proxy":
                Path(f"{layout.UNITS}/{layout.unit(name)}").write_text(mine, encoding="utf-8")
        self._call("daemon-reload")
        self._call("start", "--no-block", *map(layout.unit, names))

    def restart(self, name: str) -> None:
        """Ask systemd for it."""
        self._call("restart", "--no-block", layout.unit(name))

    def describe(self, name: str) -> str:
        """Return the status that ``systemctl status`` prints, once the unit has failed."""
        unit = layout.unit(name)
        await_true(lambda: self._ask("is-failed", unit) == "failed", f"{unit} fails", 30)
        return self._ask("status", "--full", "--no-pager", "--lines=0", unit)

    def _ask(self, *words: str) -> str:
        return _read("systemctl", *words)

    def end(self, names: list[str]) -> None:
        """Stop the units and remove them."""
        self._call("stop", *map(layout.unit, names))
        for name in names:
            if name != "proxy":
                Path(f"{layout.UNITS}/{layout.unit(name)}").unlink()
        self._call("daemon-reload")

    def _call(self, *words: str) -> None:
        subprocess.run(["systemctl", *words], check=True, timeout=60)


class Supervisord:
    """A supervisord with programs copied from the installed configuration."""

    _CONF = CONFIGS / "supervisord.conf"

    def begin(self, names: list[str]) -> None:
        """Start a supervisord that has these programs, and so starts them."""
        text = Path(layout.SUPERVISORD_CONF).read_text(encoding="utf-8")
        head, *sections = re.split(r"(?m)^(?=\[program:)", text)
        (mine,) = (s for s in sections if s.startswith(f"[program:{PATTERN}]"))
        programs = [re.sub(rf"\b{PATTERN}\b", name, mine) for name in names]
        self._CONF.write_text(head + "".join(programs), encoding="utf-8")
        environment = {**os.environ, "TRTLLM_BACKOFF": BACKOFF}
        subprocess.run(
            [f"{layout.TOOL}/bin/supervisord", "-c", str(self._CONF)],
            check=True,
            env=environment,
            timeout=60,
        )

    def restart(self, name: str) -> None:
        """Ask supervisord for it, which answers when it is done."""
        subprocess.Popen([*self._ctl(), "restart", name], stdout=subprocess.DEVNULL)

    def describe(self, name: str) -> str:
        """Return the end of the program's log."""
        return _read(*self._ctl(), "tail", name)

    def end(self, names: list[str]) -> None:
        """Shut supervisord down, with all its programs."""
        del names
        subprocess.run([*self._ctl(), "shutdown"], check=True, timeout=60, stdout=-3)
        await_true(lambda: not Path(layout.SUPERVISORD_PID).exists(), "supervisord ends", 60)

    def _ctl(self) -> list[str]:
        return [f"{layout.TOOL}/bin/supervisorctl", "-c", str(self._CONF)]


def _read(*command: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.stdout.strip()


class Bench:
    """Specs, the proxy and what can be seen of each cell."""

    def __init__(self) -> None:
        self._pattern = json.loads(Path(layout.launch_spec(PATTERN)).read_text(encoding="utf-8"))
        CONFIGS.mkdir(mode=0o755, exist_ok=True)

    def write_spec(self, cell: Cell, *, faulty: bool) -> None:
        """Write the launch spec of a cell, with its fault or without; whole at any moment."""
        spec = json.loads(json.dumps(self._pattern))
        config = CONFIGS / f"{cell.name}.yaml"
        config.write_text((faulty and FAULTS[cell.fault].config) or "{}\n", encoding="utf-8")
        argv = spec["argv"]
        argv[argv.index("--port") + 1] = str(cell.port)
        argv[argv.index("--config") + 1] = str(config)
        faults = cell.start_faults if faulty else {"load_seconds": 0.5, "token_seconds": 0.05}
        spec["environment"]["TRTLLM_SIMULATED_FAULTS"] = json.dumps(faults)
        changed = {
            "name": cell.name,
            "port": cell.port,
            "after": [],
            "gpus": [cell.name],
            "state_dir": layout.instance_state(cell.name),
            "liveness": LIVENESS,
            **BUDGETS,
        }
        state = Path(layout.instance_state(cell.name))
        state.mkdir(mode=0o750, exist_ok=True)
        shutil.chown(state, layout.USER, layout.USER)
        self._write(Path(layout.launch_spec(cell.name)), json.dumps({**spec, **changed}))

    def write_proxy(self, cells: tuple[Cell, ...]) -> None:
        """Put the proxy in front of these cells."""
        path = Path(layout.launch_spec("proxy"))
        self._write(path, json.dumps({**json.loads(path.read_text(encoding="utf-8")), "after": []}))
        spec = ProxySpec(
            host="127.0.0.1",
            port=PROXY_PORT,
            upstreams=tuple(
                Upstream(
                    name=cell.name,
                    host="127.0.0.1",
                    port=cell.port,
                    ids=(cell.name,),
                    contains=(),
                    state_file=layout.live_state(cell.name),
                )
                for cell in cells
            ),
            first_byte_s=1800,
            body_limit_mib=64,
            binary="nginx",
            modules=_installed_modules(),
            lua_path="",
            lua_cpath="",
            conf_dir=layout.PROXY,
            run_dir=layout.RUN,
            temp_dir=layout.instance_state("proxy"),
            keys_file=layout.PROXY_KEYS,
            peer_keys_file=layout.PEER_KEYS,
            error_log="stderr",
            access_log="off",
            admin_socket=layout.PROXY_ADMIN_SOCKET,
            workers=1,
        )
        for name, text in render_proxy(replace(spec)).items():
            self._write(Path(layout.PROXY, name), text)

    def read_state(self, cell: Cell) -> dict[str, Any]:
        """Return the live state of a cell, empty when there is none."""
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(Path(layout.live_state(cell.name)).read_text(encoding="utf-8"))
            return content if isinstance(content, dict) else {}
        return {}

    def processes_of(self, cell: Cell) -> dict[int, int]:
        """Return pid → start of every living process below the launcher of a cell."""
        mark = f"TRTLLM_SUPERVISED={layout.RUN}/{cell.name}\0"
        return {
            process.pid: process.start
            for process in tree.read_processes()
            if process.alive and mark in tree.read_proc(f"{process.pid}/environ")
        }

    def switch(self, cell: Cell, faults: object) -> None:
        """Switch faults of an engine that serves."""
        connection = http.client.HTTPConnection("127.0.0.1", cell.port, timeout=10)
        connection.request("POST", "/simulated/faults", json.dumps(faults))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"cannot switch {faults}: {text!r}")

    def kill(self, cell: Cell, whom: str, number: signal.Signals) -> None:
        """Signal the server or the worker of a cell."""
        server = self.read_state(cell)["child_pid"]
        pid = server
        if whom == "worker":
            pid = await_true(lambda: self._find_worker(cell), "a worker", 30)
        os.kill(pid, number)

    def _find_worker(self, cell: Cell) -> int:
        for pid in self.processes_of(cell):
            if tree.read_proc(f"{pid}/comm").strip() == "sim-mpi-worker":
                return pid
        return 0

    def _write(self, path: Path, text: str) -> None:
        new = path.with_suffix(".matrix")
        new.write_text(text, encoding="utf-8")
        new.chmod(0o644)
        new.rename(path)


def _installed_modules() -> tuple[str, ...]:
    text = Path(layout.PROXY, "nginx.conf").read_text(encoding="utf-8")
    return tuple(re.findall(r"(?m)^load_module \"?([^\";]+)\"?;", text))
