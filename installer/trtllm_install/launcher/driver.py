"""What the driver says of its GPUs, asked by a process that can be left behind.

NVML hangs on a sick GPU (gpud#117), so it never runs in the launcher; the launch spec
says which program asks. Its answer is that of ``probes/nvml_child.py``.
"""

import json
import os
import re
import select
import signal
from time import monotonic

from trtllm_install.launcher import child, tree
from trtllm_install.launcher.station import Station
from trtllm_install.launcher.words import render_bytes
from trtllm_install.model.launchspec import SUPERVISED_MARK

_LIMIT_S = 15.0  # the probe of the installer takes 0.2 s on an idle host, and may wait for a core
_LONGEST = 1 << 20
_UNIT = re.compile(r"([^/\s]+\.(?:service|scope))")


class Gpu:
    """One GPU: bytes, and who computes on it (pid → bytes, None where the driver hides them)."""

    __slots__ = ("free", "index", "processes", "total")

    def __init__(self, index: int, total: int, free: int, processes: dict[int, int | None]) -> None:
        self.index = index
        self.total = total
        self.free = free
        self.processes = processes


class Question:
    """One question under way; look at ``done``, then at ``gpus`` or ``error``."""

    def __init__(self, station: Station) -> None:
        self.done = False
        self.gpus: list[Gpu] = []
        self.error = ""
        self._station = station
        self._data = b""
        self._deadline = monotonic() + _LIMIT_S
        argv = station.spec.gpu_argv
        try:
            path = {"PATH": "/usr/bin:/bin"}
            self._pid, self._source = child.spawn(argv, path, death_signal=signal.SIGKILL)
        except child.SpawnError as error:
            self.done, self.error = True, f"{argv[0]}: {error.strerror}"
            return
        station.helpers.add(self._pid)
        station.loop.register(self._source, select.POLLIN, self._read)

    def check_deadline(self) -> None:
        """End a question that gets no answer; the process may stay, uninterruptible."""
        if not self.done and monotonic() >= self._deadline:
            self._finish(f"no answer in {_LIMIT_S:g} s")

    def cancel(self) -> None:
        """End the question if it is still open."""
        if not self.done:
            self._finish("cancelled")

    def _read(self, _events: int) -> None:
        data = os.read(self._source, 65536)
        self._data += data
        if data and len(self._data) < _LONGEST:
            return
        try:
            self.gpus = parse_answer(self._data)
            self._finish("")
        except (ValueError, LookupError, TypeError, AttributeError):
            last = self._data.decode(errors="replace").strip().splitlines()[-1:]
            self._finish(f"it said {' '.join(last)[:200] or 'nothing'}")

    def _finish(self, error: str) -> None:
        self.error, self.done = error, True
        self._station.loop.unregister(self._source)
        os.close(self._source)
        tree.send_signal(self._pid, signal.SIGKILL)
        self._station.helpers.discard(self._pid)


def parse_answer(data: bytes) -> list[Gpu]:
    """Return the GPUs whose memory the driver tells; ValueError with its text if it tells none.

    What the program wrote to stderr may stand before its answer.
    """
    answer = json.loads(data[max(0, data.rfind(b'{"driver"')) :])
    found = []
    for gpu in answer["gpus"]:
        memory, running = gpu.get("memory"), gpu.get("processes")
        if not isinstance(memory, dict) or "free" not in memory:
            continue  # an error code in its place: GB10 knows no such question
        users = running if isinstance(running, list) else []
        processes = {int(user["pid"]): user.get("memory") for user in users}
        found.append(Gpu(int(gpu["index"]), int(memory["total"]), int(memory["free"]), processes))
    return found


def describe_users(gpu: Gpu, limit: int = 3) -> str:
    """Return in words who holds a GPU's memory, the largest first; empty if nobody is to be seen.

    A container's process ids mean nothing here: NVML then names none, or other ones.
    """
    users = sorted(gpu.processes.items(), key=lambda user: -(user[1] or 0))
    words = [_describe(pid, held) for pid, held in users[:limit]]
    more = f" and {len(users) - limit} more" if len(users) > limit else ""
    return ", ".join(words) + more


def _describe(pid: int, held: int | None) -> str:
    parts = [tree.read_proc(f"{pid}/comm").strip() or "unknown"]
    mark = f"{SUPERVISED_MARK}="
    marks = [v for v in tree.read_proc(f"{pid}/environ").split("\0") if v.startswith(mark)]
    unit = _UNIT.findall(tree.read_proc(f"{pid}/cgroup"))
    if marks:
        parts.append(f"of {marks[0].rpartition('/')[2]}")
    elif unit:
        parts.append(unit[-1])
    if held is not None:
        parts.append(render_bytes(held))
    return f"pid {pid} ({', '.join(parts)})"
