"""An engine with traffic on a clock of its own: 30 minutes of it take some milliseconds.

Stands where a launcher's Care has its station and its vitals, so that the real rules of
liveness judge an engine whose every second is known.
"""

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from trtllm_install.launcher.drain import Traffic
from trtllm_install.launcher.serve import Care
from trtllm_install.model.launchspec import LaunchSpec

STEP_S = 0.25


class Job:
    """One request: a prefill in silence, then tokens."""

    def __init__(
        self, *, prefill_s: float = 0.0, tokens: int = 1, token_s: float = 0.0, stream: bool = True
    ) -> None:
        self.prefill_left = prefill_s
        self.tokens_left = tokens
        self.token_s = token_s
        self.stream = stream
        self.token_left = token_s
        self.gone = False
        self.ours = False  # a canary: the proxy does not see it


class Canary:
    """What Care holds of a request of its own."""

    connected = True

    def __init__(self, world: "World", job: Job, timeout: float) -> None:
        self._world = world
        self._job = job
        self._deadline = world.now + timeout
        self.done = False
        self.status: int | None = None
        self.error = ""
        self.check_deadline()

    def check_deadline(self) -> None:
        if self.done:
            return
        refused = self._world.refuses
        if refused:
            self.done, self.status = True, refused
        elif not self._job.tokens_left:
            self.done, self.status = True, 200
        elif self._world.now >= self._deadline:
            self.cancel()
            self.error = "silent"

    def cancel(self) -> None:
        self.done = self._job.gone = True


class World:
    """Station, vitals and engine in one."""

    def __init__(
        self, *, slots: int, arrivals: Callable[[float], list[Job]], proxy: bool = True, **spec: Any
    ) -> None:
        self.spec = LaunchSpec(
            name="qwen",
            kind="engine",
            argv=("trtllm-serve",),
            environment={},
            host="127.0.0.1",
            port=8001,
            generate_path="/health_generate",
            **spec,
        )
        self.now = 1000.0
        self.refuses = 0  # the status of every answer; 0 for an engine that does not
        self.hung = False
        self.spins = False  # a thread that works, and leads nowhere
        self.chatters = False  # a line every step
        self.lost = False
        self.canaries = 0
        self.states: list[str] = []
        self.record = SimpleNamespace(state="healthy", served_s=0.0)
        self.history = SimpleNamespace(crashes=[])
        self._slots = slots
        self._arrivals = arrivals
        self._queue: deque[Job] = deque()
        self._running: list[Job] = []
        self._heard_at: float | None = None
        self._cpu = 0.0
        self._lines = 0
        self._proxy = proxy
        self.care = Care(self, self)  # type: ignore[arg-type]

    def run_for(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.care.look_once()

    # the engine --------------------------------------------------------------------

    def _step(self, seconds: float) -> None:
        self.now += seconds
        self._lines += self.chatters
        self._queue += self._arrivals(self.now)
        if self.spins:
            self._cpu += seconds
        if self.hung:
            return
        while self._queue and len(self._running) < self._slots:
            self._running.append(self._queue.popleft())
        if self._running:
            self._cpu += seconds
        for job in self._running:
            self._advance(job, seconds)
        self._running = [job for job in self._running if job.tokens_left and not job.gone]

    def _advance(self, job: Job, seconds: float) -> None:
        spent = min(job.prefill_left, seconds)
        job.prefill_left -= spent
        job.token_left -= seconds - spent
        while not job.prefill_left and job.token_left <= 0 and job.tokens_left:
            job.tokens_left -= 1
            job.token_left += job.token_s
            if not job.ours and (job.stream or not job.tokens_left):
                self._heard_at = self.now

    # the station -------------------------------------------------------------------

    def rest(self, seconds: float) -> None:
        until = self.now + seconds
        while (left := until - self.now) > 1e-9:
            self.turn(left)

    def turn(self, timeout: float) -> None:
        self._step(min(timeout, STEP_S))

    def fetch(self, _path: str, *, timeout: float) -> Any:
        del timeout
        return SimpleNamespace(status=self.refuses or 200)

    def ask(self, _path: str, *, timeout: float) -> Canary:
        job = Job(prefill_s=0.05)
        self.canaries += 1
        job.ours = True
        self._queue.append(job)
        return Canary(self, job, timeout)

    def enter(self, state: str, words: str) -> None:
        self.record.state = state
        self.states.append(state)
        self.say(words)

    def say(self, words: str) -> None:
        self.said = words

    def take_suspicion(self) -> bool:
        return False

    def log(self, words: str) -> None:
        self.said = words

    # the vitals --------------------------------------------------------------------

    def count_lines(self) -> int:
        return self._lines

    def measure_cpu(self) -> float:
        return self._cpu

    def ask_proxy(self) -> Traffic | None:
        if not self._proxy:
            return None
        silent_s = None if self._heard_at is None else self.now - self._heard_at
        return Traffic(self._others(), silent_s)

    def count_others(self, _canary: object) -> int:
        return self._others()

    def _others(self) -> int:
        return sum(not job.ours for job in (*self._running, *self._queue))

    def has_lost_process(self) -> bool:
        lost, self.lost = self.lost, False
        return lost

    def have_counters_moved(self) -> bool:
        return False

    def has_iterated(self) -> bool:
        return False

    def note_tree(self) -> None:
        """Nothing to note: there is no tree."""
