"""What a service remembers between starts: crashes, the back-off they ask for, load time."""

from collections.abc import Sequence

from trtllm_install.launcher import files
from trtllm_install.model import exits

DELAYS_S = (5.0, 15.0, 45.0, 120.0, 300.0)
HEALTHY_AGAIN_S = 1800.0  # a crash later than this after READY starts a new count
SOON_S = 600.0  # a crash within this after READY can be one that repeats itself
SAME_CRASHES = 3
SAME_LOADS = 5  # loads that end in one and the same way: eight minutes of the usual delays
_KEPT = 20
_FAR_S = 1e12  # no moment of this world, nor infinity, nor "not a number"
_KEPT_LOADS = 5  # of each kind


class LoadTime:
    """How long one load took, from spawn to READY."""

    __slots__ = ("boot", "cold", "seconds")

    def __init__(self, *, seconds: float, cold: bool | None, boot: str) -> None:
        self.seconds = seconds
        self.cold = cold  # weights from disk; None where that is not known
        self.boot = boot


class Crash:
    """One end of the process that nobody asked for."""

    __slots__ = ("at", "code", "reason", "served_s", "signature")

    def __init__(
        self, *, at: float, code: int, reason: str, signature: str, served_s: float | None
    ) -> None:
        self.at = at  # unix seconds
        self.code = code
        self.reason = reason
        self.signature = signature  # equal for crashes of one cause
        self.served_s = served_s  # seconds after READY, None if it came before

    @property
    def counts(self) -> bool:
        """Tell whether it is a crash of the service; a port that was taken is not."""
        return not self.signature.startswith(f"{exits.TEMPORARY} ")


def parse_delays(text: str) -> tuple[float, ...]:
    """Return the delays in ``text`` ("5,15,45", seconds); the usual ones if it holds none."""
    try:
        delays = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        return DELAYS_S
    return delays or DELAYS_S


def plan_delay(crashes: Sequence[Crash], delays: Sequence[float], now: float) -> float:
    """Return the seconds to wait before the next start.

    Counted from the last crash. A clock that was set back never makes it longer
    than the delay itself. A port that was taken is no crash: it costs the first
    delay, and does not raise the later ones.
    """
    if not crashes:
        return 0.0
    counted = sum(1 for crash in crashes if crash.counts)
    delay = delays[min(max(counted, 1), len(delays)) - 1]
    return min(max(crashes[-1].at + delay - now, 0.0), delay)


def describe_repetition(crashes: Sequence[Crash]) -> str:
    """Return in words that the last crashes were one and the same; empty if they were not.

    Three soon after READY are, and five loads that crashed or stood still alike.
    """
    last = crashes[-SAME_CRASHES:]
    if _are_same(last, SAME_CRASHES) and all(_came_soon(crash) for crash in last):
        return "the same crash three times soon after it was ready"
    last = crashes[-SAME_LOADS:]
    if _are_same(last, SAME_LOADS) and all(_ended_load(crash) for crash in last):
        return "the same crash in five loads"
    return ""


def _are_same(crashes: Sequence[Crash], count: int) -> bool:
    return len(crashes) == count and len({crash.signature for crash in crashes}) == 1


def _came_soon(crash: Crash) -> bool:
    return crash.served_s is not None and crash.served_s <= SOON_S


def _ended_load(crash: Crash) -> bool:
    return crash.served_s is None and crash.code in {exits.CRASH, exits.HANG}


class History:
    """The crash streak and figures in ``<state_dir>/history.json``."""

    def __init__(self, state_dir: str) -> None:
        self._path = f"{state_dir}/history.json"
        content = files.read_json(self._path)
        self.crashes = _parse_crashes(content.get("crashes"))
        self.attempt = 1 + len(self.crashes)  # number of this start since the service was well
        self.loads = _parse_loads(content.get("loads"))
        last = content.get("exit")
        self.last_exit: dict[str, object] | None = last if isinstance(last, dict) else None

    def record_crash(self, crash: Crash) -> None:
        """Add a crash; one after 30 healthy minutes begins a new streak."""
        if crash.served_s is not None and crash.served_s >= HEALTHY_AGAIN_S:
            self.crashes = []
        self.crashes = [*self.crashes, crash][-_KEPT:]
        self.record_exit(crash.code, crash.reason, crash.at)

    def record_exit(self, code: int, reason: str, at: float) -> None:
        """Remember how the launcher ended; an end that is not restarted ends the streak too.

        Whoever starts the service after that has acted, and need not wait.
        """
        if not exits.is_restarted(code):
            self.crashes = []
        self.last_exit = {"code": code, "reason": reason, "at": round(at, 3)}
        self.save()

    def forget_crashes(self) -> None:
        """End the streak: the service is well again."""
        self.crashes = []
        self.attempt = 1
        self.save()

    def record_load(self, load: LoadTime) -> None:
        """Remember how long a load took; OSError when that cannot be written."""
        same = [known for known in self.loads if known.cold == load.cold][1 - _KEPT_LOADS :]
        other = [known for known in self.loads if known.cold != load.cold][-_KEPT_LOADS:]
        self.loads = [*other, *same, load]
        self.save()

    def expects_cold(self, boot: str) -> bool | None:
        """Tell whether the next load reads from disk: after a boot the page cache is empty."""
        if not self.loads or self.loads[-1].cold is None:
            return None
        return self.loads[-1].boot != boot

    def usual_load(self, *, cold: bool | None) -> float | None:
        """Return the median of the last loads of this kind in seconds, of any if there is none."""
        same = [load.seconds for load in self.loads if load.cold == cold]
        known = sorted(same or [load.seconds for load in self.loads])
        if not known:
            return None
        middle = len(known) // 2
        median = known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
        return round(median, 3)

    def save(self) -> None:
        """Write the file; OSError when the folder does not allow it."""
        content = {
            "schema": 1,
            "crashes": [
                {key: getattr(crash, key) for key in Crash.__slots__} for crash in self.crashes
            ],
            "loads": [
                {key: getattr(load, key) for key in LoadTime.__slots__} for load in self.loads
            ],
            "exit": self.last_exit,
        }
        files.write_json(self._path, content, durable=True)


def _parse_loads(value: object) -> list[LoadTime]:
    try:
        loads = [LoadTime(**{k: entry[k] for k in LoadTime.__slots__}) for entry in value]  # type: ignore[attr-defined]
    except (TypeError, KeyError):
        return []
    return [load for load in loads if isinstance(load.seconds, int | float)]


def _parse_crashes(value: object) -> list[Crash]:
    # A file that somebody damaged costs the back-off, never the start.
    try:
        crashes = [Crash(**{k: entry[k] for k in Crash.__slots__}) for entry in value]  # type: ignore[attr-defined]
    except (TypeError, KeyError):
        return []
    return crashes if all(map(_is_sound, crashes)) else []


def _is_sound(crash: Crash) -> bool:
    moments = (crash.at, 0.0 if crash.served_s is None else crash.served_s)
    numbers = all(isinstance(m, int | float) and abs(m) < _FAR_S for m in moments)
    return numbers and isinstance(crash.signature, str)
