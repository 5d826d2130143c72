"""When a service that is ready counts as alive: every threshold of its liveness, in one place.

A plain class and not a dataclass, for the reason that ``launchspec`` gives.
"""

from collections.abc import Mapping
from typing import Final

# Name → value in seconds (a share of one core for ``busy_cpu``). docs/reference/launcher.md
# explains each; a test compares.
DEFAULTS: Final[Mapping[str, float]] = {
    # How often health_path is asked, and how long it may take.
    "health_every_s": 5,
    # One window of silence: nobody is connected, so nothing can be ahead of the canary ...
    "idle_window_s": 8,
    # ... somebody may be ...
    "unknown_window_s": 30,
    # ... the proxy says that requests run. Three of them are 300 s: what TensorRT-LLM's own
    # detector of hangs takes (its pull request 10480), so the engine can say it first.
    "in_flight_window_s": 100,
    # A process that answers, wrongly, is dead after this.
    "refusing_s": 60,
    # A process that works and gives nobody a token is dead after this. The proxy gives up on
    # a silent engine after the same time (first_byte_s).
    "busy_s": 1800,
    # Lines of its own spare an engine the canary for at most this long without a token.
    "lines_vouch_s": 300,
    # CPU time of the whole tree that counts as work: an idle server uses less, one that
    # prefills more.
    "busy_cpu": 0.05,
}
# Windows of silence in a row before a process is dead.
MISSES: Final = 3


class Liveness:
    """The thresholds of one service; seconds."""

    __slots__ = tuple(DEFAULTS)

    health_every_s: float
    idle_window_s: float
    unknown_window_s: float
    in_flight_window_s: float
    refusing_s: float
    busy_s: float
    lines_vouch_s: float
    busy_cpu: float

    def __init__(self, **changed: float) -> None:
        for name, value in {**DEFAULTS, **changed}.items():
            setattr(self, name, value)

    def changed(self) -> dict[str, float]:
        """Return the thresholds that are not the usual ones."""
        return {n: getattr(self, n) for n, usual in DEFAULTS.items() if getattr(self, n) != usual}
