"""The end: drain, ask the process to end, kill what is left of its tree, and verify."""

import os
import signal
from time import monotonic

from trtllm_install.launcher import drain, tree
from trtllm_install.launcher.ports import count_connected
from trtllm_install.launcher.station import Station, Verdict
from trtllm_install.launcher.words import render_seconds
from trtllm_install.model import exits, states

_LOOK_EVERY_S = 0.2
_LOOK_AGAIN_S = 0.02
_KILLED_WITHIN_S = 10.0
# A process that hangs does not end itself; this is for one that only lost its listener.
HUNG_GRACE_S = 2.0


def stop_child(station: Station) -> None:
    """End the service because that was asked for; a further request skips every wait.

    Returns when no process is left. Verdict 84 when one cannot be killed.
    """
    served = station.record.state in {states.HEALTHY, states.BUSY, states.SUSPECT}
    station.enter(states.DRAINING, "draining")
    station.notifier.stopping(station.record.status)
    if served:
        _drain(station)
    station.say(f"ending the process, at most {render_seconds(station.spec.stop_grace_s)}")
    end_tree(station, grace_s=station.spec.stop_grace_s)


def end_tree(station: Station, *, grace_s: float) -> None:
    """TERM the process, wait ``grace_s`` for it, then KILL everything below the launcher."""
    pid = station.pid
    if pid and pid not in station.loop.exits:
        tree.send_signal(pid, signal.SIGTERM)
        _await_exit(station, grace_s)
    until = monotonic() + _KILLED_WITHIN_S
    while living := tree.living_below(os.getpid()):
        if monotonic() >= until:
            names = ", ".join(f"{process.pid} (state {process.state})" for process in living)
            reason = f"cannot kill {names}"
            raise Verdict(exits.REBOOT, reason, hint="reboot the host to free the GPU")
        for process in living:
            tree.send_signal(process.pid, signal.SIGKILL)
        station.loop.reap()
        station.turn(_LOOK_AGAIN_S)
    if station.output:
        station.output.drain()


def _drain(station: Station) -> None:
    """Let running requests end and the proxy's idle connections go, for at most ``drain_s``.

    The side that closes first keeps the port in TIME_WAIT for a minute, and trtllm-serve
    binds without SO_REUSEADDR (NVIDIA/TensorRT-LLM#17915): so the proxy closes first.
    """
    budget = station.spec.drain_s
    if station.spec.kind == "proxy":
        if station.pid and budget:
            # nginx closes its port and lets its requests end; SIGTERM would cut them.
            tree.send_signal(station.pid, signal.SIGQUIT)
            _await_exit(station, budget)
        return
    if not drain.tell_proxy(station, "drain"):
        return
    until = monotonic() + budget
    while not _is_hurried(station) and (left := until - monotonic()) > 0:
        traffic = drain.fetch_traffic(station)
        if traffic and traffic.in_flight:
            in_flight = traffic.in_flight
            station.say(f"draining, {in_flight} requests left, at most {render_seconds(left)}")
        elif connected := count_connected(station.spec.port):
            station.say(f"draining, {connected} idle connections, at most {render_seconds(left)}")
        else:
            return
        station.turn(min(_LOOK_EVERY_S, left))


def _await_exit(station: Station, seconds: float) -> None:
    until = monotonic() + seconds
    while (
        station.pid not in station.loop.exits
        and not _is_hurried(station)
        and (left := until - monotonic()) > 0
    ):
        station.turn(left)


def _is_hurried(station: Station) -> bool:
    return station.loop.stop_requests > 1
