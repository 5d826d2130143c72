"""What can be seen of a running engine from outside: tokens, lines, CPU time, connections."""

import os

from trtllm_install.launcher import drain, ports, tree
from trtllm_install.launcher.drain import Traffic
from trtllm_install.launcher.request import Request
from trtllm_install.launcher.station import Station

_OK = 200
_NOT_FOUND = 404
_COUNTERS = "/prometheus/metrics"  # there with return_perf_metrics; reading it changes nothing
_ITERATIONS = "/metrics"  # a list that its reader empties; waits up to 2 s for an entry
_COUNTERS_TIMEOUT_S = 1.0
_ITERATIONS_TIMEOUT_S = 3.0


class Vitals:
    """Reads; has no opinion."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._tree: dict[int, int] = {}
        self.note_tree()
        self._has_counters = station.spec.kind == "engine"
        self._counters = b""

    def count_lines(self) -> int:
        """Return how many lines the process has written that our probes did not cause."""
        return self._station.output.signs if self._station.output else 0

    def measure_cpu(self) -> float:
        """Return the CPU seconds of the living tree, without what is ours."""
        return sum(process.cpu_s for process in self._living())

    def ask_proxy(self) -> Traffic | None:
        """Return the traffic that the proxy sees, None where there is no proxy."""
        return drain.fetch_traffic(self._station)

    def count_others(self, canary: Request | None) -> int:
        """Return how many connections are open beside the canary's."""
        ours = 1 if canary and canary.connected and not canary.done else 0
        return max(0, ports.count_connected(self._station.spec.port) - ours)

    def has_lost_process(self) -> bool:
        """Tell whether a process of the tree has ended since the last look (a zombie has).

        trtllm-serve 1.3.0rc2 does not notice a killed worker (NVIDIA/TensorRT-LLM#16338).
        Costs one read for each process that was there.
        """
        living = {}
        for pid, start in self._tree.items():
            process = tree.read_process(pid)
            if process and process.alive and process.start == start:
                living[pid] = start
        lost = len(living) < len(self._tree)
        self._tree = living
        return lost

    def note_tree(self) -> None:
        """Remember the processes of an engine that there are now; nginx changes its own."""
        if self._station.spec.kind == "engine":
            self._tree = {p.pid: p.start for p in self._living()}

    def have_counters_moved(self) -> bool:
        """Tell whether the engine's own counters differ from those of the last look."""
        if not self._has_counters:
            return False
        request = self._station.fetch(_COUNTERS, timeout=_COUNTERS_TIMEOUT_S)
        if request.status == _NOT_FOUND:
            self._has_counters = False  # its configuration does not change while it runs
        if request.status != _OK:
            return False
        moved = self._counters not in {b"", request.body}
        self._counters = request.body
        return moved

    def has_iterated(self) -> bool:
        """Tell whether the engine counts iterations; takes them from another reader.

        So only for a process that is about to be killed otherwise.
        """
        if self._station.spec.kind != "engine":
            return False
        request = self._station.fetch(_ITERATIONS, timeout=_ITERATIONS_TIMEOUT_S)
        return request.status == _OK and request.body.strip() not in {b"", b"[]"}

    def _living(self) -> list[tree.Process]:
        ours = self._station.own_pids
        return [p for p in tree.living_below(os.getpid()) if p.pid not in ours]
