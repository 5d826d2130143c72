"""The last starts, phase by phase, written as they happen: a kill leaves a readable record."""

from time import monotonic, time

from trtllm_install.launcher import files

KEPT_STARTS = 5
_MOST_PHASES = 60  # an engine that goes to and fro must not fill the file
_SAVE_EVERY_S = 10.0


class Timeline:
    """Writes ``<state_dir>/timeline.json`` (docs/reference/launcher.md), newest start last.

    Moments are seconds after the start, on the clock that never goes back; ``clock``
    is what that clock said at the start, so that starts of one boot can be laid side by side.
    """

    def __init__(self, path: str, name: str, *, attempt: int) -> None:
        self._path = path
        self._name = name
        self._begun = monotonic()
        self._saved_at = 0.0
        self._phases: list[dict[str, object]] = []
        self._start: dict[str, object] = {
            "started_at": round(time(), 3),
            "boot": files.boot_id(),
            "clock": round(self._begun, 3),
            "attempt": attempt,
            "seen_s": 0.0,
            "ready_s": None,
            "exit": None,
            "weights_bytes": 0,
            "bytes_read": 0,
            "disk_bytes": 0,
            "preread_bytes": 0,
            "phases": self._phases,
        }
        self._earlier: list[object] | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether the start has come to its end, good or bad."""
        return self._start["ready_s"] is not None or self._start["exit"] is not None

    def enter(self, phase: str, at: float | None = None) -> None:
        """Begin a phase (at ``at`` of the monotonic clock), unless it is the one that runs.

        OSError when it cannot be written.
        """
        running = self._phases[-1]["phase"] if self._phases else ""
        if self.is_over or phase == running or len(self._phases) >= _MOST_PHASES:
            return
        moment = self._now() if at is None else round(at - self._begun, 3)
        self._phases.append({"phase": phase, "from_s": moment})
        self.save()

    def note(self, **figures: int) -> None:
        """Keep figures of the load; writes at most every 10 s."""
        self._start.update(figures)
        if monotonic() - self._saved_at >= _SAVE_EVERY_S:
            self.save()

    def ready(self) -> None:
        """End the start well; OSError as ``enter``."""
        if not self.is_over:
            self._start["ready_s"] = self._now()
            self.save()

    def end(self, code: int, reason: str) -> None:
        """End a start that did not become ready; OSError as ``enter``."""
        if not self.is_over:
            self._start["exit"] = {"code": code, "reason": reason[:500]}
            self.save()

    def save(self) -> None:
        """Write the file; OSError when the folder does not allow it."""
        self._saved_at = monotonic()
        if not self.is_over or self._start["ready_s"] is None:
            self._start["seen_s"] = self._now()
        if self._earlier is None:
            earlier = files.read_json(self._path).get("starts")
            self._earlier = earlier[1 - KEPT_STARTS :] if isinstance(earlier, list) else []
        content = {"schema": 2, "name": self._name, "starts": [*self._earlier, self._start]}
        files.write_json(self._path, content)

    def _now(self) -> float:
        return round(monotonic() - self._begun, 3)
