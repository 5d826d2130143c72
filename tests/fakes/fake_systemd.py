"""systemd and the launchers it runs, as answers of a FakeHost.

A started unit has a process below ``/proc``, a state file and its port, the way a real
launcher has; how each launcher fares is what a test sets in ``fates``.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from fakes import fake_proxy
from fakes.fake_host import FakeHost, Node
from trtllm_install.host.protocol import Answer, Completed
from trtllm_install.model import layout

if TYPE_CHECKING:
    from collections.abc import Callable

NGINX = "/usr/sbin/nginx"
MODULES = "/usr/lib/nginx/modules"
TCP_HEAD = "  sl  local_address rem_address   st\n"
MOUNTS = (
    "22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n"
    "23 22 0:23 / /dev/shm rw,nosuid - tmpfs tmpfs rw\n"
)
LIMITS = "Max locked memory         unlimited            unlimited            bytes\n"
LOAD_S = 2.0  # seconds from start to healthy


def debian() -> FakeHost:
    """Return a Debian with nginx and ngx_lua, systemd as process 1, and nothing of ours."""
    host = FakeHost()
    host.nodes = dict(_debian_nodes())  # a change replaces a node and never alters it
    host.answer_command([NGINX, "-V"], stderr="nginx version: nginx/1.22.1\n")
    host.answer_command(["uname"], "6.1.0-40-amd64 x86_64\n")
    host.answer_command(["getconf", "GNU_LIBC_VERSION"], "glibc 2.36\n")

    def useradd(argv: tuple[str, ...], _: str) -> Completed:
        host.add_account(argv[-1], argv[argv.index("--home-dir") + 1])
        return Completed(argv=argv, code=0, stdout="", stderr="")

    def userdel(argv: tuple[str, ...], _: str) -> Completed:
        host.accounts.pop(argv[-1])
        return Completed(argv=argv, code=0, stdout="", stderr="")

    host.answer_command(["useradd"], by=useradd)
    host.answer_command(["userdel"], by=userdel)
    return host


@cache
def _debian_nodes() -> dict[str, Node]:
    tree = FakeHost()
    tree.add_file("/proc/1/comm", "systemd\n")
    tree.add_directory("/run/systemd/system")
    for folder in ("/etc/systemd/system", "/etc/tmpfiles.d", "/run/lock", "/var/log"):
        tree.add_directory(folder)
    tree.add_file("/proc/meminfo", f"MemTotal: {256 << 20} kB\nMemAvailable: {250 << 20} kB\n")
    tree.add_program(NGINX)
    tree.add_file(
        "/var/lib/dpkg/status",
        "Package: nginx\nStatus: install ok installed\nVersion: 1.22.1-9+deb12u9\n\n",
    )
    for name in ("ndk_http_module.so", "ngx_http_lua_module.so"):
        tree.add_file(f"{MODULES}/{name}")
    tree.add_file("/proc/net/tcp", TCP_HEAD)
    tree.add_file("/proc/self/mountinfo", MOUNTS)
    tree.add_file("/proc/self/limits", LIMITS)
    tree.add_directory("/dev/shm")
    for name in ("gcc", "g++"):
        tree.add_program(f"/usr/bin/{name}")
    tree.add_file("/usr/share/lua/5.1/resty/core.lua")
    tree.add_file("/usr/lib/lua/5.1/cjson.so")
    return tree.nodes


@dataclass(slots=True, kw_only=True)
class Fate:
    """How the launcher of a service fares from its next start on."""

    state: str = "healthy"  # what it comes to: healthy, failed, or backoff again and again
    code: int = 0
    reason: str = ""
    after_s: float = LOAD_S
    stays_s: float = 0.0  # seconds that the old launcher needs to end when it is restarted


@dataclass(slots=True)
class FakeSystemd:
    """systemctl, systemd-tmpfiles and journalctl of one host, and the proxy's two answers."""

    host: FakeHost
    fates: dict[str, Fate] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    ends: dict[str, dict[str, object]] = field(default_factory=dict)  # how each ended last
    opened: set[int] = field(default_factory=set)  # ports
    begun: dict[str, dict[str, object]] = field(default_factory=dict)  # when, and with what
    served_generation: str = ""
    enabled: bool = False
    shown: dict[str, dict[str, str]] = field(default_factory=dict)  # of a unit, as it was set
    slow_s: float = 0.0  # from the start of a launcher to the first word of it
    _next_pid: int = 100

    def __post_init__(self) -> None:
        """Announce the commands and the addresses."""
        self.host.answer_command(["systemctl"], by=self._systemctl)
        self.host.answer_command(["systemd-tmpfiles", "--create"])
        self.host.answer_command(["journalctl"], by=self._journalctl)
        for port in (8000, 8101, 8102, 9000):
            base = f"http://127.0.0.1:{port}"
            self.host.answer_http("POST", f"{base}/v1/chat/completions", fake_proxy.completion)
            self.host.answer_http("GET", f"{base}/health", Answer(status=200, body=b""))
        fake_proxy.answer_admin(self)

    def end(self, name: str) -> None:
        """End a launcher as SIGKILL would: its state file stays behind and lies."""
        pid = self.pids.pop(name, None)
        for path in [p for p in self.host.nodes if f"{p}/".startswith(f"/proc/{pid}/")]:
            del self.host.nodes[path]
        self._open_ports()

    # launchers ---------------------------------------------------------------
    def _start(self, name: str) -> None:
        if name in self.pids or name == "gpu-ready":
            return
        self._next_pid += 1
        pid = self.pids[name] = self._next_pid
        self.host.add_file(f"/proc/{pid}/comm", "trtllm-supervis\n")
        self.host.add_file(
            f"/proc/{pid}/cgroup", f"0::/system.slice/{layout.unit(name)}\n".encode()
        )
        self.host.add_link(f"/proc/{pid}/fd/3", f"socket:[{pid}]")
        self._open_ports()
        fate = self.fates.get(name, Fate())
        self.begun[name] = {
            "started_at": self.host._time() / 1_000_000_000,  # by the clock that files have
            "spec": sha256(self.host.read(layout.launch_spec(name)) or b"").hexdigest(),
        }
        if self.slow_s:
            self.host.later(self.slow_s, lambda: self._write(name, pid, "loading"))
        else:
            self._write(name, pid, "loading")
        self.host.add_file(f"{layout.instance_state(name)}/history.json", "{}", owner=layout.USER)
        if name == "proxy":
            self._note_generation()
        self.host.later(fate.after_s, lambda: self._come_to(name, pid, fate))

    def _come_to(self, name: str, pid: int, fate: Fate) -> None:
        if self.pids.get(name) != pid:
            return
        if fate.state == "healthy":
            self._write(name, pid, "healthy")
            return
        self.attempts[name] = self.attempts.get(name, 1) + 1
        self.ends[name] = {"code": fate.code, "reason": fate.reason}
        self._write(name, pid, fate.state)
        self.end(name)
        if fate.state == "backoff":
            self._start(name)

    def _write(self, name: str, pid: int, state: str) -> None:
        record = {
            "schema": 1,
            "name": name,
            "pid": pid,
            "child_pid": pid + 1000,
            "state": state,
            "status": f"it is {state}",
            "since": 1.0,
            "port": self._spec(name)["port"],
            "attempt": self.attempts.get(name, 1),
            "exit": self.ends.get(name),
            "load_seconds": None,
            **self.begun[name],
        }
        self.host.add_file(layout.live_state(name), json.dumps(record))

    def _spec(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.host.read(layout.launch_spec(name)) or b"{}"))

    def _open_ports(self) -> None:
        """Let the ports of what runs be taken, and name their holders where the kernel does."""
        for port in self.opened:
            self.host.free_port("127.0.0.1", port)
        self.opened = {self._spec(name)["port"] for name in self.pids}
        lines = []
        for name, pid in self.pids.items():
            port = self._spec(name)["port"]
            self.host.take_port("127.0.0.1", port)
            lines.append(f" 0: 0100007F:{port:04X} 00000000:0000 0A 0 0 0 0 0 {pid} 1\n")
        self.host.add_file("/proc/net/tcp", TCP_HEAD + "".join(lines))

    # commands ----------------------------------------------------------------
    def _systemctl(self, argv: tuple[str, ...], _: str) -> Completed:
        verb, *units = [w for w in argv[1:] if not w.startswith("-") or w == "--version"]
        out = ""
        if verb == "is-active":
            out = "".join(f"{self._is_active(u)}\n" for u in units)
        elif verb == "show":
            out = "\n".join(self._show(u) for u in units)
        elif verb == "is-enabled":
            out = "enabled\n" if self.enabled else "disabled\n"
        elif verb in {"enable", "disable"}:
            self.enabled = verb == "enable"
        elif verb in {"start", "stop", "restart", "reload"}:
            alone = "--job-mode=ignore-dependencies" in argv
            for unit in units:
                if not (alone and unit == layout.TARGET):
                    self._order(verb, unit)
        elif verb == "--version":
            out = "systemd 252 (252.39-1~deb12u1)\n"
        return Completed(argv=argv, code=0, stdout=out, stderr="")

    def _is_active(self, unit: str) -> str:
        return "active" if _name(unit) in self.pids else "inactive"

    def _show(self, unit: str) -> str:
        """Return a block as ``systemctl show`` prints it, with what a test set on top."""
        path, name = f"{layout.UNITS}/{unit}", _name(unit)
        is_loaded, is_target = path in self.host.nodes, unit == layout.TARGET
        runs = bool(self.pids) if is_target or name == "gpu-ready" else name in self.pids
        shown = {
            "Id": unit,
            "LoadState": "loaded" if is_loaded else "not-found",
            "FragmentPath": path if is_loaded else "",
            "ActiveState": "active" if runs else "inactive",
            "UnitFileState": "enabled" if is_target and self.enabled else "disabled",
            "NeedDaemonReload": "no",
            "DropInPaths": "",
            "MainPID": str(self.pids.get(name, 0)),
            **self.shown.get(unit, {}),
        }
        return "".join(f"{key}={value}\n" for key, value in shown.items())

    def _order(self, verb: str, unit: str) -> None:
        orders: dict[str, Callable[[str], None]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "reload": lambda _: self._note_generation(),
        }
        for name in self._wanted() if unit == layout.TARGET else (_name(unit),):
            orders[verb](name)

    def _wanted(self) -> tuple[str, ...]:
        text = (self.host.read(f"{layout.UNITS}/{layout.TARGET}") or b"").decode()
        found = re.search(r"^Wants=(.*)$", text, re.MULTILINE)
        return tuple(_name(unit) for unit in found[1].split()) if found else ()

    def _stop(self, name: str) -> None:
        if pid := self.pids.get(name):
            self.ends[name] = {"code": 0, "reason": "a stop was asked for"}
            self._write(name, pid, "stopped")
            self.end(name)

    def _restart(self, name: str) -> None:
        """The old launcher may go on saying "healthy" for a while."""
        stays = self.fates.get(name, Fate()).stays_s

        def replace() -> None:
            self._stop(name)
            self._start(name)

        if stays and name in self.pids:
            self.host.later(stays, replace)
        else:
            replace()

    def _journalctl(self, argv: tuple[str, ...], _: str) -> Completed:
        name = _name(argv[-1])
        out = f"{name} said: loading\n{name} said: the last line\n"
        return Completed(argv=argv, code=0, stdout=out, stderr="")

    # the proxy ---------------------------------------------------------------
    def _note_generation(self) -> None:
        text = (self.host.read(f"{layout.PROXY}/routes.lua") or b"").decode()
        found = re.search(r'generation = "([0-9a-f]+)"', text)
        self.served_generation = found[1] if found else ""


def _name(unit: str) -> str:
    return unit.removeprefix("trtllm-").removesuffix(".service")
