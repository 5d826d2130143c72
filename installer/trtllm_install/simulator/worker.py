"""The worker: a process of its own that loads and generates, as the real one's MPI worker.

It lives in its own session, so a signal to the server's process group does not reach it. It
talks over a socket pair, one line a message. From the server: ``start ID COUNT``, ``abort ID``,
``faults JSON``, ``stop``. To the server: ``loaded``, ``failed JSON``, ``tokens ID COUNT``,
``stopped``. The end of the socket is how it learns that the server is gone.
"""

import contextlib
import heapq
import json
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from trtllm_install.simulator.checkpoint import LoadError, find_shards
from trtllm_install.simulator.faults import Faults
from trtllm_install.simulator.journal import draw_bar, end_bar, say, say_as_engine

# Of the load time, unless a fault says otherwise: kernels and graphs take the rest, half each.
_WEIGHTS_SHARE = 0.7
_GRAPHS = (8, 4, 2, 1)  # batch sizes
_EVERY_PERCENT = 5  # how often the load says how far it is

# Modelled on what TensorRT-LLM prints when the cache does not fit (its issue 5872).
_OOM = """\
RuntimeError: Executor creation failed due to insufficient GPU memory.

The following component could not be created: KV cache

component              free before   free after (GiB, simulated)
Model                       79.1          61.0
Additional executor          61.0          60.2
KV cache                     60.2           0.0"""


# Work is a fifth of a core: enough to be seen, little enough for many engines on one machine.
_SLICE_S = 0.01
_SLICES_OFF = 4


class _ServerGoneError(Exception):
    """The other end of the socket is closed."""


def start_worker(
    folder: str, faults: Faults, *, close: Sequence[socket.socket]
) -> tuple[int, socket.socket]:
    """Fork the worker, which begins to load ``folder``; return its pid and our end of the pair.

    The worker closes the sockets in ``close`` first: a port must not outlive its server.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours
    code = 70
    try:
        ours.close()
        for other in close:
            other.close()
        os.setsid()
        with contextlib.suppress(OSError):  # only a name for people who look at the process list
            Path("/proc/self/comm").write_bytes(b"sim-mpi-worker")
        code = _Worker(theirs, faults).run(folder)
    except Exception:  # noqa: BLE001 (a forked process must not return into its parent's code)
        say(traceback.format_exc())
    finally:
        os._exit(code)


class _Worker:
    def __init__(self, link: socket.socket, faults: Faults) -> None:
        self._link = link
        self._faults = faults
        self._left: dict[str, int] = {}  # request → tokens still to come
        self._due: list[tuple[float, str]] = []
        self._received = b""
        self._prefill_until = 0.0

    def run(self, folder: str) -> int:
        """Load and generate until told to stop or left alone; return the exit code."""
        try:
            try:
                self._load(folder)
            except LoadError as error:
                self._send(f"failed {json.dumps(str(error))}")
                return 1
            self._send("loaded")
            self._obey_faults()
            while self._turn():
                pass
        except (_ServerGoneError, OSError):
            say("worker: the server is gone")
        while self._faults.orphan:
            signal.pause()
        return 0

    # loading -----------------------------------------------------------------

    def _load(self, folder: str) -> None:
        """Load as slowly as asked, in the words of TensorRT-LLM 1.x."""
        seconds, weights = self._faults.load_seconds, self._faults.weights_seconds
        weights = seconds * _WEIGHTS_SHARE if weights is None else min(weights, seconds)
        begin = time.monotonic()
        shards = find_shards(folder)
        say_as_engine(f"Use {sum(s.size for s in shards) / 1e9:.2f} GB for model weights.")
        for percent in range(101):
            self._wait_until(begin + weights * percent / 100)
            if percent:
                for shard in shards:
                    shard.read_part((percent - 1) / 100, percent / 100, whole=self._faults.read_all)
            stalls = percent == self._faults.stall_at
            if percent % _EVERY_PERCENT == 0 or stalls:
                draw_bar("Loading weights", percent, time.monotonic() - begin)
            if stalls:
                self._wait_until(float("inf"))
        end_bar()
        say(f"Model init total -- {time.monotonic() - begin:.2f}s")
        if self._faults.oom:
            raise LoadError(_OOM)
        # What the reading took comes on top.
        done = max(begin + weights, time.monotonic())
        half = (seconds - weights) / 2
        say_as_engine("[Autotuner] Autotuning process starts ...")
        self._wait_until(done + half)
        say_as_engine("[Autotuner] Autotuning process ends")
        say_as_engine(f"Creating CUDA graph instances for {len(_GRAPHS)} batch sizes.")
        for captured, size in enumerate(_GRAPHS, 1):
            graph = f"Run generation only CUDA graph warmup for batch size={size}, draft_len=0"
            say_as_engine(graph)
            self._wait_until(done + half + half * captured / len(_GRAPHS))
        say(f"Model loaded in {time.monotonic() - begin:.2f} s")

    def _wait_until(self, moment: float) -> None:
        """Wait for a moment of the monotonic clock, or raise when the server goes away."""
        left = moment - time.monotonic()
        timeout = None if moment == float("inf") else max(0.0, left)
        if select.select([self._link], [], [], timeout)[0]:
            raise _ServerGoneError

    # generating --------------------------------------------------------------

    def _turn(self) -> bool:
        """Wait for the next message or token; tell whether to go on."""
        timeout = self._time_to_next()
        if select.select([self._link], [], [], timeout)[0]:
            data = self._link.recv(65536)
            if not data:
                raise _ServerGoneError
            *lines, self._received = (self._received + data).split(b"\n")
            for line in lines:
                if not self._obey(*line.decode().split(" ", 1)):
                    return False
        if self._is_working():
            _burn(_SLICE_S)
        elif not self._is_dead():
            self._emit()
        return True

    def _is_dead(self) -> bool:
        return self._faults.hang or self._faults.spin

    def _is_working(self) -> bool:
        return self._faults.spin or time.monotonic() < self._prefill_until

    def _time_to_next(self) -> float | None:
        if self._is_working():
            return _SLICE_S * _SLICES_OFF
        if self._is_dead() or not self._due:
            return None
        return max(0.0, self._due[0][0] - time.monotonic())

    def _obey(self, verb: str, rest: str = "") -> bool:
        if verb == "start":
            request, count = rest.split(" ")
            self._left[request] = int(count)
            begin = max(time.monotonic(), self._prefill_until)
            if int(count) > 1:  # a probe's prompt is one word
                begin += self._faults.prefill_seconds
                self._prefill_until = begin
            heapq.heappush(self._due, (begin + self._faults.token_seconds, request))
        elif verb == "abort":
            self._left.pop(rest, None)
        elif verb == "faults":
            self._faults = Faults(**json.loads(rest))
            self._obey_faults()
        elif verb == "stop" and not self._is_dead():
            self._send("stopped")
            return False
        return True

    def _obey_faults(self) -> None:
        if self._faults.worker_killed:
            os.kill(os.getpid(), signal.SIGKILL)

    def _emit(self) -> None:
        """Send every token that is due; all that is left at once when tokens take no time."""
        now = time.monotonic()
        lines = []
        while self._due and self._due[0][0] <= now:
            _, request = heapq.heappop(self._due)
            left = self._left.pop(request, 0)
            ready = 1 if self._faults.token_seconds else left
            if not left:
                continue
            lines.append(f"tokens {request} {ready}")
            if left > ready:
                self._left[request] = left - ready
                heapq.heappush(self._due, (now + self._faults.token_seconds, request))
        if lines:
            self._send("\n".join(lines))

    def _send(self, text: str) -> None:
        self._link.sendall(text.encode() + b"\n")


def _burn(seconds: float) -> None:
    """Use CPU time, as a prefill does."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass
