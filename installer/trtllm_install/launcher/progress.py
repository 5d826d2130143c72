"""How far a load is and how long it will take, from what was read, said and measured. Pure."""

from collections import deque

from trtllm_install.launcher.words import render_amount, render_rate, render_seconds
from trtllm_install.model import phases

# Less than this is what pollers and timers read; a load reads gigabytes.
BYTES_THAT_COUNT = 4 * 1024**2
_SAMPLES = 6  # the rate is that of the last few
_RATE_OVER_S = 1.0  # at least
_WEIGHTS_BEGIN = 0.05  # of their bytes: an engine that says nothing has begun with them by then
_COLD = 0.2  # of the weights' bytes from the disk: not a start from the page cache


class Progress:
    """The no-progress deadline of a load, and its figures.

    The deadline moves while lines are written, bytes are read, or the GPU's memory grows.
    """

    def __init__(self, budget_s: float, now: float, *, weights_bytes: int = 0) -> None:
        self.bytes_read = 0
        self.disk_bytes = 0  # of them, those that were not in the page cache
        self.gpu_bytes: int | None = None
        self.frozen = False  # only success counts any more
        self.weights_bytes = weights_bytes
        self.phase = phases.START
        self.weights_done = False
        self._budget_s = budget_s
        self._moved_at = now
        self._signs = 0
        self._counted_bytes = 0
        self._of_pid: dict[int, tuple[int, int]] = {}
        self._before_weights: int | None = None  # bytes that libraries took
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)

    def note_signs(self, signs: int, now: float) -> None:
        """Take the number of lines that the process has written so far."""
        if signs != self._signs:
            self._signs = signs
            self._move(now)

    def note_bytes(self, by_pid: dict[int, tuple[int, int]], now: float) -> None:
        """Take what each living process has read, and of that from disk; ended ones stay."""
        self._of_pid.update(by_pid)
        self.bytes_read = sum(read for read, _ in self._of_pid.values())
        self.disk_bytes = sum(disk for _, disk in self._of_pid.values())
        self._samples.append((now, self.bytes_read))
        if self.bytes_read - self._counted_bytes >= BYTES_THAT_COUNT:
            self._counted_bytes = self.bytes_read
            self._move(now)

    def note_gpu_bytes(self, used: int, now: float) -> None:
        """Take how much GPU memory is in use."""
        if used - (self.gpu_bytes or 0) >= BYTES_THAT_COUNT:
            self._move(now)
        self.gpu_bytes = used

    def note_phase(self, told: str) -> str:
        """Take the phase that the lines tell, and return the one that the figures allow."""
        begun = self.bytes_read >= _WEIGHTS_BEGIN * self.weights_bytes > 0
        if told == phases.START and begun:
            told = phases.WEIGHTS
        elif told == phases.WEIGHTS and self._before_weights is None:
            self._before_weights = self.bytes_read
            while len(self._samples) > 1:  # the rate is that of the weights, not of libraries
                self._samples.popleft()
        # AutoDeploy exports the model before it loads the weights.
        had_them = self.weights_done or self.phase == phases.WEIGHTS
        self.weights_done = had_them and told != phases.WEIGHTS
        self.phase = told
        return told

    def stalled_s(self, now: float) -> float:
        """Return how long nothing has moved, 0 while that is within the budget."""
        quiet = self.quiet_s(now)
        return quiet if quiet > self._budget_s else 0.0

    def quiet_s(self, now: float) -> float:
        """Return how long nothing has moved."""
        return now - self._moved_at

    @property
    def weights_read(self) -> int:
        """Bytes of the weights that were read; engines that read them twice stop at their size."""
        return min(max(0, self.bytes_read - (self._before_weights or 0)), self.weights_bytes)

    @property
    def rate(self) -> float:
        """Bytes per second, over the last few measurements."""
        if len(self._samples) < 2:  # noqa: PLR2004 (a rate needs two)
            return 0.0
        (begin, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - begin) if end - begin >= _RATE_OVER_S else 0.0

    @property
    def is_cold(self) -> bool | None:
        """Tell whether the weights came from disk; None where their size is not known."""
        if not self.weights_bytes:
            return None
        return self.disk_bytes >= _COLD * self.weights_bytes

    def left_s(self, taken_s: float, usual_s: float | None) -> float | None:
        """Return the seconds until it should be ready: by earlier loads, else by the rate."""
        reading = None
        if self.phase == phases.WEIGHTS and self.weights_bytes and self.rate > BYTES_THAT_COUNT:
            reading = (self.weights_bytes - self.weights_read) / self.rate
        if usual_s is None:
            return reading or None
        left = max(usual_s - taken_s, reading or 0.0)
        return left if left > 0 else None

    def _move(self, now: float) -> None:
        if not self.frozen:
            self._moved_at = now


def render_weights(progress: Progress, percent: int | None) -> list[str]:
    """Return "loading weights 63 %", "11.4 of 18.0 GiB", "1.9 GiB/s"; what is known of it."""
    total, read = progress.weights_bytes, progress.weights_read
    if total and read < total and read >= BYTES_THAT_COUNT:
        parts = [f"loading weights {100 * read // total} %", render_amount(read, total)]
        if progress.rate > BYTES_THAT_COUNT:
            parts.append(render_rate(progress.rate))
        return parts
    # They are in memory, or mapped from the page cache: the engine's own count is left.
    return ["loading weights" if percent is None else f"loading weights {percent} %"]


def render_left(left_s: float | None, taken_s: float, usual_s: float | None) -> str:
    """Return "about 40 s left", or how long it has taken."""
    if left_s is not None:
        return f"about {render_seconds(max(1, round(left_s)))} left"
    usual = f", usually {render_seconds(round(usual_s))}" if usual_s else ""
    return f"{render_seconds(int(taken_s))} so far{usual}"
