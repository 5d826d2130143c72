"""Hosts of their own on this machine: a root file system, its init, its network."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

from lab import cgroup, images

# Where a root sees the checkout and the wheels; both read-only.
CHECKOUT_INSIDE = "/srv/checkout"
WHEELS_INSIDE = "/srv/wheels"

# Whoever enters a root keeps the powers of this machine's root, and neither the clock nor the
# kernel's modules have a namespace: what is set inside would be set for this machine.
_WITHOUT_THE_CLOCK = ("setpriv", "--bounding-set=-sys_time,-sys_module,-sys_rawio", "--")

T = TypeVar("T")

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    # The root has no network: pip takes what the lab brought.
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": WHEELS_INSIDE,
}


class Root:
    """One host: an overlay over a base image, in namespaces of its own.

    Use as a context manager. On exit its processes are gone, the overlay is
    unmounted and its files are removed, whatever happened inside.
    """

    def __init__(
        self,
        release: images.Release,
        *,
        checkout: Path = images.CHECKOUT,
        packages: Sequence[str] = (),
        bare: bool = False,
    ) -> None:
        """Take a host with the packages that we need, or with ``bare`` one without them.

        ``packages`` are others that it has.
        """
        self.name = "lab"
        self.release = release
        self._checkout = checkout
        base_of = images.base_of if bare else images.ready_of
        self._base = base_of(release, *packages)
        self._wheels = images.wheelhouse()
        self._folder = Path(tempfile.mkdtemp(prefix="trtllm-lab-", dir="/var/tmp"))
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._mounted = False
        self._groups: list[Path] = []
        self.leader = 0

    @property
    def tree(self) -> Path:
        """The root file system as seen from outside: without what is mounted inside."""
        return self._folder / "tree"

    @property
    def console(self) -> str:
        """What the init has printed so far."""
        return (self._folder / "console").read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        try:
            self._mount()
            self._boot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(
        self,
        *argv: str,
        timeout: float = 60,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside as root, with a clean environment; any exit code is an answer."""
        return subprocess.run(
            self.inside(*argv, environment=environment),
            capture_output=True,
            text=True,
            input=stdin,
            timeout=timeout,
            check=False,
        )

    def inside(self, *argv: str, environment: Mapping[str, str] | None = None) -> list[str]:
        """Return the command of this machine that runs ``argv`` inside as root."""
        return [*self._enter("--all"), *_WITHOUT_THE_CLOCK, *_env(environment), *argv]

    def check(self, *argv: str, timeout: float = 60) -> str:
        """Run a command inside and return its output; AssertionError unless it ends 0."""
        ended = self.run(*argv, timeout=timeout)
        assert ended.returncode == 0, (
            f"{argv} ended {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
        )
        return ended.stdout

    def run_on_network(self, *argv: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine on the network of the root, and nothing else of it."""
        return subprocess.run(
            [*self._enter("--net"), *argv],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start_on_network(self, *argv: str) -> "subprocess.Popen[str]":
        """Start what ``run_on_network`` runs; it ends when its standard input is closed."""
        return subprocess.Popen(
            [*self._enter("--net"), *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def bootstrap(
        self,
        *arguments: str,
        timeout: float = 240,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the checkout's scripts/bootstrap.sh as a user of this host would."""
        script = f"{CHECKOUT_INSIDE}/scripts/bootstrap.sh"
        return self.run(script, *arguments, timeout=timeout, environment=environment)

    def _mount(self) -> None:
        for name in ("upper", "work", "tree"):
            (self._folder / name).mkdir()
        layers = f"lowerdir={self._base},upperdir={self._folder}/upper,workdir={self._folder}/work"
        subprocess.run(
            ["mount", "-t", "overlay", "trtllm-lab", "-o", layers, str(self.tree)],
            check=True,
        )
        self._mounted = True

    def _boot(self) -> None:
        # The hierarchy that Debian has by default, whatever this machine has.
        environment = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        argv = [
            *("systemd-nspawn", "--quiet", f"--directory={self.tree}", f"--machine={self.name}"),
            *("--register=no", "--keep-unit", *self._network(), "--console=pipe"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            f"--bind-ro={self._checkout}:{CHECKOUT_INSIDE}",
            f"--bind-ro={self._wheels}:{WHEELS_INSIDE}",
            *self._payload(),
        ]
        self._groups = cgroup.make_groups(self._folder.name)
        with (self._folder / "console").open("wb") as console:
            self._nspawn = subprocess.Popen(
                cgroup.enter_and_run(self._groups, self._placed(argv)),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
        self.leader = self._await("its first process", self._first_process)
        self._await("its init", self._is_up, seconds=60)

    def _network(self) -> Sequence[str]:
        """Return the options of nspawn for the network; by default the root has none."""
        return ("--private-network",)

    def _placed(self, argv: Sequence[str]) -> Sequence[str]:
        """Return what runs nspawn where it belongs; by default where the test runs."""
        return argv

    def _payload(self) -> Sequence[str]:
        raise NotImplementedError

    def _is_up(self) -> bool:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError

    def _first_process(self) -> int:
        """Return the pid, outside, of the process that is pid 1 inside; 0 before it is there.

        nspawn's first child only prepares: it still stands in this machine's own
        namespaces, and entering those would aim commands at this machine.
        """
        assert self._nspawn is not None
        pid = self._nspawn.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
            for child in children.split():
                status = Path(f"/proc/{child}/status").read_text(encoding="utf-8")
                (pids,) = (line for line in status.splitlines() if line.startswith("NSpid:"))
                if len(pids.split()) > 2 and pids.split()[-1] == "1":
                    return int(child)
        except (FileNotFoundError, ProcessLookupError):
            pass  # the preparing child has just ended
        return 0

    def _enter(self, *namespaces: str) -> list[str]:
        return ["nsenter", f"--target={self.leader}", *namespaces, "--"]

    def _await(self, what: str, look: Callable[[], T], *, seconds: float = 20) -> T:
        assert self._nspawn is not None
        deadline = time.monotonic() + seconds
        while not (found := look()):
            ended = self._nspawn.poll()
            if ended is not None or time.monotonic() > deadline:
                raise AssertionError(f"the root has not shown {what}: {self.console[-3000:]}")
            time.sleep(0.05)
        return found

    def _end(self) -> None:
        if self._nspawn is not None and self._nspawn.poll() is None:
            try:
                if self.leader:
                    self._stop()
                self._nspawn.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        cgroup.remove_groups(self._groups)
        if self._mounted:
            subprocess.run(["umount", str(self.tree)], check=True)
            self._mounted = False
        shutil.rmtree(self._folder)


class BootedRoot(Root):
    """A host whose first process is systemd."""

    def reboot(self) -> None:
        """Boot again on the same disk, with a fresh /run; returns once every job is done."""
        assert self._nspawn is not None
        self.run("systemctl", "reboot")
        # With --keep-unit nspawn ends when its system reboots, and asks to be started again.
        self._nspawn.wait(timeout=60)
        cgroup.remove_groups(self._groups)
        self._boot()

    def _payload(self) -> Sequence[str]:
        return ("--boot",)

    def _is_up(self) -> bool:
        state = self.run("systemctl", "is-system-running").stdout.strip()
        return state in {"running", "degraded"}

    def _stop(self) -> None:
        self.run("systemctl", "poweroff")


class PlainRoot(Root):
    """A host without systemd as first process, as containers are."""

    def _payload(self) -> Sequence[str]:
        return ("--as-pid2", "sleep", "infinity")

    def _is_up(self) -> bool:
        return self.run("pgrep", "--exact", "sleep").returncode == 0

    def _stop(self) -> None:
        # The first process of the pid namespace takes every other one with it.
        os.kill(self.leader, 9)


def _env(more: Mapping[str, str] | None) -> list[str]:
    environment = {**_ENVIRONMENT, **(more or {})}
    return [
        "env",
        "--chdir=/root",
        "--ignore-environment",
        *(f"{k}={v}" for k, v in environment.items()),
    ]
