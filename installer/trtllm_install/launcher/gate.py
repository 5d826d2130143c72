"""Before the start: back off after a crash, then wait for those that come first."""

import contextlib
import os
from time import monotonic, time

from trtllm_install.launcher import files, tree
from trtllm_install.launcher.history import plan_delay
from trtllm_install.launcher.preread import Preread
from trtllm_install.launcher.station import Station
from trtllm_install.launcher.watch import FolderWatch
from trtllm_install.launcher.words import render_seconds
from trtllm_install.model import states
from trtllm_install.model.launchspec import CONTINUE

_LOOK_AGAIN_S = 1.0
# What failed before this launcher began may be begun anew together with it, and its launcher
# needs a moment to say so: two interpreters that start at once, on a busy host.
_DOUBT_S = 2.0
_ON_ITS_WAY = (states.ADMISSION, states.LOADING, states.WARMING)


def back_off(station: Station, delays: tuple[float, ...]) -> None:
    """Hold the start for as long as the crashes before it ask; enters ``backoff`` if they do."""
    history = station.history
    delay = plan_delay(history.crashes, delays, time())
    if not delay:
        return
    until = monotonic() + delay
    cause = history.crashes[-1]
    after = f"after crash {len(history.crashes)} (exit {cause.code}: {cause.reason})"
    station.enter(states.BACKOFF, f"backing off {render_seconds(delay)} {after}")
    while (left := until - monotonic()) > 0:
        station.say(f"backing off, {render_seconds(left)} left, {after}")
        station.turn(min(left, 1.0))


class Predecessor:
    """A service that has to serve first, seen through the state file of its launcher."""

    def __init__(self, run_dir: str, name: str) -> None:
        self.name = name
        self._path = f"{run_dir}/{name}.json"
        self._seen: tuple[int, int] | None = None
        self._looked_at = 0.0
        self._content: dict[str, object] = {}
        self._alive = False

    @property
    def is_loading(self) -> bool:
        """Tell whether it is on its way, so that waiting for it is not waiting in vain."""
        return self._alive and self._content.get("state") in _ON_ITS_WAY

    @property
    def expected_at(self) -> float | None:
        """Unix seconds at which it expects to be ready, None if it does not know."""
        moment = self._content.get("expected_at")
        return moment if self._alive and isinstance(moment, int | float) else None

    @property
    def has_its_weights(self) -> bool:
        """Tell whether it serves, or loads and needs the disk no more."""
        progress = self._content.get("progress")
        done = isinstance(progress, dict) and progress.get("weights_done") is True
        return self._alive and (done or self._content.get("state") in states.SERVING)

    def is_older_than(self, moment: float) -> bool:
        """Tell whether its last word was written before ``moment``, in Unix seconds."""
        return self._seen is not None and self._seen[0] < moment * 1e9

    def look(self) -> tuple[str, str]:
        """Return ("serving" | "failed" | "hold", words); cheap when nothing has changed."""
        try:
            stat = os.stat(self._path)  # noqa: PTH116 (pathlib costs 2 MB of memory)
            seen = (stat.st_mtime_ns, stat.st_ino)
        except OSError:
            return "hold", "not started"
        now = monotonic()
        if seen != self._seen or now - self._looked_at >= _LOOK_AGAIN_S:
            self._seen = seen
            self._looked_at = now
            self._content = files.read_json(self._path)
            self._alive = is_running(self._content.get("pid"))
        return judge_predecessor(self._content, alive=self._alive, now=time())


def judge_predecessor(
    content: dict[str, object], *, alive: bool, now: float = 0.0
) -> tuple[str, str]:
    """Return what a state file means for those that wait for it, and why in words.

    One that was stopped, or whose launcher died, may come back.
    """
    state = str(content.get("state", "unknown"))
    if state == states.FAILED:
        end = content.get("exit")
        reason = str(end.get("reason", "")) if isinstance(end, dict) else ""
        return "failed", reason or "failed"
    if state in states.SERVING and alive:
        return "serving", state
    if alive or state in states.ENDED:
        expected_at = content.get("expected_at")
        if alive and isinstance(expected_at, int | float) and expected_at > now:
            return "hold", f"{state}, about {render_seconds(round(expected_at - now) or 1)}"
        return "hold", state
    return "hold", f"{state}, but its launcher is gone"


def is_running(pid: object) -> bool:
    """Tell whether ``pid`` is a process that is not dead."""
    if not isinstance(pid, int):
        return False
    process = tree.read_process(pid)
    return process is not None and process.alive


def await_predecessors(station: Station) -> None:
    """Return once everything in ``after`` serves, or does not count any more.

    A predecessor that failed for good does not, unless ``after_failed`` says hold: half of
    the models is better than none. With ``after_limit_s``, none counts that has not been on
    its way for so long altogether.
    """
    watch = FolderWatch(station.loop, station.spec.run_dir)
    try:
        _Patience(station, watch).run()
    finally:
        watch.close()


class _Patience:
    """The wait of one service for those that come first."""

    def __init__(self, station: Station, watch: FolderWatch) -> None:
        self._station = station
        self._watch = watch
        self._preread = station.preread = Preread(station)
        self._begun, self._begun_at = monotonic(), time()
        self._idle_s = 0.0  # time in which none of those that are waited for was on its way

    def run(self) -> None:
        """Return when nobody is waited for."""
        station = self._station
        waiting = [Predecessor(station.spec.run_dir, name) for name in station.spec.after]
        while waiting := self._held(waiting):
            limit = station.spec.after_limit_s
            if limit is not None and self._idle_s >= limit:
                names = ", ".join(predecessor.name for predecessor in waiting)
                station.log(f"going on without {names}, waited {render_seconds(limit)} in vain")
                return
            if all(predecessor.has_its_weights for predecessor in waiting):
                with contextlib.suppress(OSError):  # it helps, and is not needed
                    self._preread.begin()
            begun = monotonic()
            station.turn(self._watch.pause_s)
            if not any(predecessor.is_loading for predecessor in waiting):
                self._idle_s += monotonic() - begun

    def _held(self, waiting: list[Predecessor]) -> list[Predecessor]:
        station, held, words = self._station, [], []
        for predecessor in waiting:
            judgement, why = predecessor.look()
            passed_over = judgement == "failed" and station.spec.after_failed == CONTINUE
            if passed_over and not self._is_doubted(predecessor):
                station.log(f"going on without {predecessor.name}, which failed for good: {why}")
            elif judgement != "serving":
                held.append(predecessor)
                words.append(f"{predecessor.name} ({why})")
        if held:
            station.record.expected_at = _expect(held, station.record.usual_load_s)
            ahead = f"; {self._preread.words}" if self._preread.words else ""
            station.say(f"waiting for {', '.join(words)}{ahead}")
        return held

    def _is_doubted(self, predecessor: Predecessor) -> bool:
        """Tell whether a failure is of before, and a new launcher may not have spoken yet."""
        young = monotonic() - self._begun < _DOUBT_S
        return young and predecessor.is_older_than(self._begun_at)


def _expect(waiting: list[Predecessor], usual_load_s: float | None) -> float | None:
    """Return when a service will be ready that loads once all of these are."""
    moments = [predecessor.expected_at for predecessor in waiting]
    known = [moment for moment in moments if moment is not None]
    if usual_load_s is None or len(known) < len(moments):
        return None
    return max(known) + usual_load_s
