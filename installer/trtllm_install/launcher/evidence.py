"""What is known of a process that is about to be killed, saved before that is done.

No signal is sent for a dump of threads: trtllm-serve 1.3.0rc2 has no handler for one, and
the default action of SIGUSR1 is death. What the kernel knows of each thread is saved instead.
"""

import contextlib
import os
from time import time

from trtllm_install.launcher import files, ports, tree
from trtllm_install.launcher.gpu import take_look
from trtllm_install.launcher.station import Station

KEPT = 5  # hangs; older ones are removed
_THREADS = 64  # of one process
_STACK = 4000  # characters


def save_evidence(station: Station, reason: str) -> str:
    """Write what is known to ``<state_dir>/hangs/<unix seconds>.json`` and return the path.

    Raises OSError when the folder does not allow it.
    """
    folder = f"{station.spec.state_dir}/hangs"
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103 (pathlib costs 2 MB of memory)
    path = f"{folder}/{int(time())}.json"
    files.write_json(path, describe(station, reason))
    remove_old(folder)
    return path


def describe(station: Station, reason: str) -> dict[str, object]:
    """Return everything that can be read without asking the process."""
    spec = station.spec
    connections: dict[str, int] = {}
    for connection in ports.read_connections(spec.port):
        connections[connection.state] = connections.get(connection.state, 0) + 1
    living = tree.living_below(os.getpid())
    return {
        "schema": 1,
        "name": spec.name,
        "reason": reason,
        "at": round(time(), 3),
        "state": station.record.state,
        "state_s": round(station.record.in_state_s, 1),
        "served_s": station.record.served_s,
        "connections": connections,  # by the kernel's number of the TCP state
        "gpus": take_look(spec.gpu_watch, spec.environment) if spec.gpu_watch else None,
        "processes": [_describe_process(process) for process in living],
        "lines": station.output.tail() if station.output else [],
    }


def remove_old(folder: str) -> None:
    """Keep the last hangs only."""
    names = sorted(n for n in os.listdir(folder) if n.endswith(".json"))  # noqa: PTH208 (as above)
    for name in names[:-KEPT]:
        with contextlib.suppress(OSError):
            os.unlink(f"{folder}/{name}")  # noqa: PTH108 (as above)


def _describe_process(process: tree.Process) -> dict[str, object]:
    pid = process.pid
    memory = [
        line.split()[1]
        for line in tree.read_proc(f"{pid}/status").splitlines()
        if line.startswith("VmRSS:")
    ]
    return {
        "pid": pid,
        "state": process.state,
        "cpu_s": process.cpu_s,
        "rss_kib": int(memory[0]) if memory else None,
        "command": tree.read_proc(f"{pid}/cmdline").replace("\0", " ").strip()[:500],
        "threads": [_describe_thread(pid, thread) for thread in _threads(pid)],
    }


def _threads(pid: int) -> list[str]:
    try:
        return sorted(os.listdir(f"/proc/{pid}/task"), key=int)[:_THREADS]  # noqa: PTH208 (as above)
    except OSError:
        return []


def _describe_thread(pid: int, thread: str) -> dict[str, str]:
    """Return where one thread waits; ``stack`` and ``syscall`` only where the kernel allows it."""
    where = f"{pid}/task/{thread}"
    stat = tree.read_proc(f"{where}/stat").rpartition(")")[2].split()
    found = {
        "name": tree.read_proc(f"{where}/comm").strip(),
        "state": stat[0] if stat else "",
        "waits_in": tree.read_proc(f"{where}/wchan"),
        "syscall": tree.read_proc(f"{where}/syscall").strip(),
        "stack": tree.read_proc(f"{where}/stack")[:_STACK],
    }
    return {key: value for key, value in found.items() if value}
