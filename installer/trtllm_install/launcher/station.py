"""What every phase of a launcher holds in its hands, and the one place where time passes."""

import contextlib
import os
import signal
from time import monotonic
from typing import TYPE_CHECKING

from trtllm_install.launcher.gpu import HINTS, GpuFault, GpuWatch
from trtllm_install.launcher.history import History
from trtllm_install.launcher.loop import Loop
from trtllm_install.launcher.notify import Notifier
from trtllm_install.launcher.record import Record
from trtllm_install.launcher.request import Request
from trtllm_install.launcher.tree import send_signal
from trtllm_install.model import states
from trtllm_install.model.launchspec import LaunchSpec

if TYPE_CHECKING:
    from trtllm_install.launcher.output import Output
    from trtllm_install.launcher.preread import Preread

_SAY_EVERY_S = 1.0
_STDERR = 2


class StopRequested(Exception):
    """The supervisor, or an operator, asked for the end."""


class ChildDied(Exception):
    """The process ended although nobody asked."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status  # as waitpid returns it


class Verdict(Exception):
    """The launcher ends: with this exit code, for this reason."""

    def __init__(self, code: int, reason: str, *, signature: str = "", hint: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.signature = signature or f"{code} {reason}"
        self.hint = hint


class Station:
    """One service under supervision.

    ``turn`` raises StopRequested and ChildDied wherever a phase happens to be,
    so that phases read from top to bottom; once ``stopping`` is set it raises neither.
    """

    def __init__(
        self, spec: LaunchSpec, *, loop: Loop, notifier: Notifier, record: Record, history: History
    ) -> None:
        self.spec = spec
        self.loop = loop
        self.notifier = notifier
        self.record = record
        self.history = history
        self.pid: int | None = None  # of the child
        self.helpers: set[int] = set()  # pids of processes of ours that do one thing and end
        self.gpu = _watch_of(self)
        self.output: Output | None = None
        self.preread: Preread | None = None
        self.spawned_at = 0.0  # monotonic
        self.oom_kills = 0  # the kernel's count at the spawn
        self.stopping = False
        self.forgetful = False  # a crash could not be written down
        self._hangups = 0  # of the loop's, those that were acted on
        self._said_at = 0.0

    @property
    def own_pids(self) -> set[int]:
        """Pids below the launcher that are ours and not the service's."""
        watching = {self.gpu.pid} if self.gpu and self.gpu.pid else set()
        return self.helpers | watching

    @property
    def now(self) -> float:
        """Seconds on the clock that never goes back."""
        return monotonic()

    @property
    def address(self) -> tuple[str, int]:
        """Where the service answers."""
        return self.spec.host, self.spec.port

    @property
    def admin_socket(self) -> str:
        """Where the proxy answers questions and takes a drain."""
        return f"{self.spec.run_dir}/proxy-admin.sock"

    def turn(self, timeout: float) -> None:
        """Let at most ``timeout`` seconds pass, or less if something happens."""
        due = self.notifier.beat(monotonic())
        if self.gpu and not self.stopping:
            due = min(due, self._check_gpus())
        self.loop.turn(min(timeout, due))
        if self.stopping:
            return
        if self.loop.stop_requests:
            raise StopRequested
        self._pass_on_hangup()
        if self.pid in self.loop.exits:
            raise ChildDied(self.loop.exits[self.pid])

    def take_suspicion(self) -> bool:
        """Tell, once, whether something happened on a GPU that a probe should look into."""
        suspicious = bool(self.gpu and self.gpu.suspicious)
        if self.gpu:
            self.gpu.suspicious = False
        return suspicious

    def _check_gpus(self) -> float:
        assert self.gpu  # noqa: S101 (the caller has looked)
        if self.gpu.memory is not self.record.gpus and self.record.state is not None:
            self.record.gpus = self.gpu.memory
            with contextlib.suppress(
                OSError
            ):  # a state that cannot be written is told where it changes
                self.record.say(self.record.status)
        try:
            return self.gpu.check()
        except GpuFault as fault:
            signature = f"{fault.code} gpu"
            raise Verdict(
                fault.code, fault.reason, signature=signature, hint=HINTS[fault.code]
            ) from fault

    def pump(self, events: int) -> None:
        """Pass on the child's output; the loop calls this."""
        if self.output:
            self.output.pump(events)
            if self.output.ended:
                self.loop.unregister(self.output.source)

    def last_line(self) -> str:
        """Return the last line of the child that says something."""
        return self.output.last_line() if self.output else ""

    def rest(self, seconds: float) -> None:
        """Let ``seconds`` pass, whatever happens meanwhile."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self.turn(left)

    def ask(
        self,
        path: str,
        *,
        timeout: float,
        method: str = "GET",
        address: tuple[str, int] | str | None = None,
    ) -> Request:
        """Send a request and return at once; the loop carries it."""
        return Request(self.loop, address or self.address, path, method=method, timeout=timeout)

    def fetch(
        self,
        path: str,
        *,
        timeout: float,
        method: str = "GET",
        address: tuple[str, int] | str | None = None,
    ) -> Request:
        """Send a request and return it once it is done."""
        request = self.ask(path, timeout=timeout, method=method, address=address)
        try:
            while not request.done:
                self.turn(max(0.0, request.deadline - monotonic()))
                request.check_deadline()
        finally:
            request.cancel()
        return request

    def enter(self, state: str, words: str) -> None:
        """Enter a state and tell everybody.

        One that cannot follow is a bug of ours, and no reason to end a service: it is logged,
        and the tests fail on that line.
        """
        try:
            states.check_transition(self.record.state, state)
        except states.TransitionError as error:
            self.log(f"internal error: {error}")
        self._said_at = 0.0
        with contextlib.suppress(OSError):  # a full disk must not end a service that serves
            self.record.enter(state, words)
        self.notifier.status(words)

    def say(self, words: str, *, at_once: bool = False) -> None:
        """Tell everybody how far it is, at most once a second unless ``at_once``."""
        now = monotonic()
        due = at_once or now - self._said_at >= _SAY_EVERY_S
        if due and words != self.record.status:
            self._said_at = now
            with contextlib.suppress(OSError):  # as above
                self.record.say(words)
            self.notifier.status(words)

    def log(self, words: str) -> None:
        """Write one line of our own among the child's."""
        log(f"{self.spec.name}: {words}")

    def _pass_on_hangup(self) -> None:
        """Hand a SIGHUP to nginx, which reads its configuration again; no engine does."""
        if self._hangups != self.loop.hangups and self.pid:
            self._hangups = self.loop.hangups
            if self.spec.kind == "proxy":
                send_signal(self.pid, signal.SIGHUP)


def _watch_of(station: Station) -> GpuWatch | None:
    spec = station.spec
    if not spec.gpu_watch:
        return None
    return GpuWatch(station.loop, spec.gpu_watch, spec.environment, log=station.log)


def log(words: str) -> None:
    """Write one line to stderr; nobody listening is no reason to fail."""
    with contextlib.suppress(OSError):
        os.write(_STDERR, f"trtllm-supervise: {words}\n".encode(errors="replace"))
