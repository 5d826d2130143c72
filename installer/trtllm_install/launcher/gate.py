"""Before the start: back off after a crash, then wait for those that come first."""

import os
from time import monotonic, time

from trtllm_install.launcher import files, tree
from trtllm_install.launcher.history import plan_delay
from trtllm_install.launcher.station import Station
from trtllm_install.launcher.watch import FolderWatch
from trtllm_install.launcher.words import render_seconds
from trtllm_install.model import states

_LOOK_AGAIN_S = 1.0


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
        return judge_predecessor(self._content, alive=self._alive)


def judge_predecessor(content: dict[str, object], *, alive: bool) -> tuple[str, str]:
    """Return what a state file means for those that wait for it, and why in words.

    A service that failed for good holds nobody back: half of the models is better
    than none. One that was stopped, or whose launcher died, may come back.
    """
    state = str(content.get("state", "unknown"))
    if state == states.FAILED:
        end = content.get("exit")
        reason = str(end.get("reason", "")) if isinstance(end, dict) else ""
        return "failed", reason or "failed"
    if state in states.SERVING and alive:
        return "serving", state
    if alive or state in states.ENDED:
        return "hold", state
    return "hold", f"{state}, but its launcher is gone"


def is_running(pid: object) -> bool:
    """Tell whether ``pid`` is a process that is not dead."""
    if not isinstance(pid, int):
        return False
    process = tree.read_process(pid)
    return process is not None and process.alive


def await_predecessors(station: Station) -> None:
    """Return once everything in ``after`` serves, or has failed for good."""
    watch = FolderWatch(station.loop, station.spec.run_dir)
    try:
        _await_all(station, watch)
    finally:
        watch.close()


def _await_all(station: Station, watch: FolderWatch) -> None:
    waiting = [Predecessor(station.spec.run_dir, name) for name in station.spec.after]
    while waiting:
        held = []
        words = []
        for predecessor in waiting:
            judgement, why = predecessor.look()
            if judgement == "hold":
                held.append(predecessor)
                words.append(f"{predecessor.name} ({why})")
            elif judgement == "failed":
                station.log(f"going on without {predecessor.name}, which failed for good: {why}")
        waiting = held
        if waiting:
            station.say(f"waiting for {', '.join(words)}")
            station.turn(watch.pause_s)
