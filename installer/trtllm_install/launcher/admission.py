"""May it start now: no left-over, the port free, no other load on its GPUs, enough memory."""

import contextlib
import errno
import fcntl
import os
import signal
from time import monotonic

from trtllm_install.launcher import files, ports, room, tree
from trtllm_install.launcher.station import Station, Verdict
from trtllm_install.launcher.words import render_seconds
from trtllm_install.model import exits
from trtllm_install.model.launchspec import SUPERVISED_MARK

_ENDING_S = 10.0
_LOOK_EVERY_S = 0.1
_BIND_EVERY_S = 0.25
_MEMORY_EVERY_S = 2.0  # a killed unit's memory is free within 0.2 s; a question costs 0.2 s of CPU
_ALL_GPUS = "all"


def mark_of(station: Station) -> str:
    """Return the value of the mark for this service: no other service's, on no other run folder."""
    return f"{station.spec.run_dir}/{station.spec.name}"


# left-over processes ---------------------------------------------------------


def record_processes(station: Station) -> None:
    """Remember the living tree, so that the next launcher can end what this one could not."""
    living = tree.living_below(os.getpid())
    content = {"schema": 1, "boot": files.boot_id(), "tree": [[p.pid, p.start] for p in living]}
    files.write_json(_processes_path(station), content)


def end_leftovers(station: Station) -> None:
    """Kill what a former launcher of this service left behind; Verdict 84 if it cannot be."""
    leftovers = find_leftovers(station)
    if not leftovers:
        return
    names = ", ".join(str(process.pid) for process in leftovers)
    station.log(f"ending processes that a former start left behind: {names}")
    for _ in range(int(_ENDING_S / _LOOK_EVERY_S)):
        for process in leftovers:
            tree.send_signal(process.pid, signal.SIGKILL)
        station.say(f"ending processes that a former start left behind: {names}")
        station.turn(_LOOK_EVERY_S)
        leftovers = find_leftovers(station)
        if not leftovers:
            return
    names = ", ".join(f"{process.pid} (state {process.state})" for process in leftovers)
    raise Verdict(
        exits.REBOOT,
        f"cannot end processes of a former start: {names}",
        hint="reboot the host",
    )


def find_leftovers(station: Station) -> list[tree.Process]:
    """Return living processes that an earlier launcher of this service started, and theirs."""
    content = files.read_json(_processes_path(station))
    recorded = content.get("tree") if content.get("boot") == files.boot_id() else []
    wanted = {tuple(entry) for entry in recorded} if isinstance(recorded, list) else set()
    mark = f"{SUPERVISED_MARK}={mark_of(station)}"
    processes = tree.read_processes()
    # An ancestor of ours can carry the mark when somebody starts a launcher from a service.
    spared = {os.getpid(), *_ancestors(os.getpid(), processes)}
    roots = [
        p
        for p in processes
        if p.pid not in spared
        and ((p.pid, p.start) in wanted or mark in tree.read_proc(f"{p.pid}/environ").split("\0"))
    ]
    found = {p.pid: p for root in roots for p in (root, *tree.below(root.pid, processes))}
    return [p for p in found.values() if p.alive and p.pid not in spared]


def _ancestors(pid: int, processes: list[tree.Process]) -> set[int]:
    parents = {process.pid: process.parent for process in processes}
    found: set[int] = set()
    while (pid := parents.get(pid, 0)) and pid not in found:
        found.add(pid)
    return found


def _processes_path(station: Station) -> str:
    return f"{station.spec.state_dir}/processes.json"


# the port --------------------------------------------------------------------


class Patience:
    """How long one start waits for what is in its way; it is not used up by other loads."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._until = monotonic() + station.spec.admission_s

    def renew(self) -> None:
        """Begin anew: somebody else's load was in the way, which has a deadline of its own."""
        self._until = monotonic() + self._station.spec.admission_s

    def wait(self, words: str, seconds: float) -> None:
        """Say what is in the way and let time pass; Verdict 75 when there was enough of it."""
        if monotonic() >= self._until:
            limit = render_seconds(self._station.spec.admission_s)
            raise Verdict(
                exits.TEMPORARY,
                f"not admitted within {limit}: {words}",
                signature=f"{exits.TEMPORARY} admission",
                hint="end what is in the way; the start is tried again",
            )
        self._station.say(f"{words}, waiting")
        self._station.rest(seconds)


def await_port(station: Station, patience: Patience) -> None:
    """Return once the service can bind its port; Verdict 77 if it never may, 75 after too long."""
    spec = station.spec
    while code := ports.try_bind(spec.host, spec.port, reuse=spec.kind == "proxy"):
        if code in {errno.EACCES, errno.EPERM}:
            raise Verdict(
                exits.PERMISSION,
                f"cannot bind {spec.host}:{spec.port}: {os.strerror(code).lower()}",
                hint="choose a port above 1023 in the site file, then run `sudo trtllm-install`",
            )
        if code == errno.EADDRINUSE:
            words = f"port {spec.port} {ports.describe_holder(spec.port)}"
        else:
            words = f"cannot bind {spec.host}:{spec.port}: {os.strerror(code).lower()}"
        patience.wait(words, _BIND_EVERY_S)


# one load at a time on a GPU -------------------------------------------------


class LoadLock:
    """Held from the spawn until READY: the engine sizes its cache by the memory that is free.

    An engine for all GPUs excludes every other; engines for different GPUs do not
    exclude each other. The kernel lets go of it when the launcher dies.
    """

    def __init__(self, run_dir: str, name: str, gpus: tuple[str, ...]) -> None:
        modes = [(_ALL_GPUS, fcntl.LOCK_SH if gpus else fcntl.LOCK_EX)]
        # Sorted, so that two engines that share two GPUs never wait for each other.
        modes += [(gpu, fcntl.LOCK_EX) for gpu in sorted(set(gpus))]
        self._wanted = [(f"{run_dir}/gpu-{gpu}.lock", mode) for gpu, mode in modes]
        self._name = name
        self._held: list[int] = []

    def try_acquire(self) -> str:
        """Take every lock or none; return "" or who holds one."""
        for path, mode in self._wanted:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if not try_lock(descriptor, mode):
                holder = os.read(descriptor, 200).decode(errors="replace").strip()
                os.close(descriptor)
                self.release()
                return holder or "another engine"
            self._held.append(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{self._name} (pid {os.getpid()})\n".encode(), 0)
        return ""

    def release(self) -> None:
        """Let the next engine load."""
        while self._held:
            os.close(self._held.pop())


def try_lock(descriptor: int, mode: int) -> bool:
    """Lock a file without waiting; False if another process holds it."""
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def admit(station: Station) -> LoadLock:
    """Return once the service may be spawned, with the lock on its GPUs (none for the proxy).

    Processes of others are named and waited for, never ended. Verdict 75 after ``admission_s``.
    """
    spec = station.spec
    end_leftovers(station)
    patience = Patience(station)
    if spec.kind == "proxy":
        _remove_stale_socket(station.admin_socket)
        _remove_left_bodies(f"{spec.state_dir}/body")
        await_port(station, patience)
        return LoadLock(spec.run_dir, spec.name, ())
    lock = LoadLock(spec.run_dir, spec.name, spec.gpus)
    while True:
        await_port(station, patience)
        holder = lock.try_acquire()
        if holder:
            station.say(f"waiting until {holder} has loaded: one load at a time on a GPU")
            station.turn(_LOOK_EVERY_S)
            patience.renew()
            continue
        # With the lock, so that no other load of ours takes it meanwhile.
        lack = room.find_lack(station)
        if not lack:
            return lock
        lock.release()  # somebody smaller may fit
        patience.wait(lack, _MEMORY_EVERY_S)


def _remove_left_bodies(folder: str) -> None:
    """Remove what a killed worker was receiving; nginx names each body by a number."""
    with contextlib.suppress(FileNotFoundError):
        for name in filter(str.isdigit, os.listdir(folder)):  # noqa: PTH208 (pathlib costs 2 MB)
            os.unlink(f"{folder}/{name}")  # noqa: PTH108 (as above)


def _remove_stale_socket(path: str) -> None:
    """Remove the socket that a killed nginx left; nginx cannot bind over it."""
    if not ports.is_listening(path):
        try:
            os.unlink(path)  # noqa: PTH108 (pathlib costs 2 MB of memory)
        except FileNotFoundError:
            return
