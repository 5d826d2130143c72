"""Waits until everything serves, or says why it will not."""

from collections.abc import Mapping, Sequence

from trtllm_install.app.reporter import Live, Reporter
from trtllm_install.app.services import read_live
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import GateFailed, HostError
from trtllm_install.model.states import BACKOFF, FAILED, SERVING
from trtllm_install.supervisors.protocol import Supervisor

_LOOK_EVERY_S = 0.1
# A service that its supervisor does not run is looked at again before it is given up.
_GONE_S = 5.0
# One crash may be chance. The launcher counts them and holds back longer each time.
_CRASHES = 3


def await_serving(
    host: Host,
    supervisor: Supervisor,
    services: Sequence[str],
    reporter: Reporter,
    *,
    timeout_s: float,
    replaced: Mapping[str, int | None],
) -> tuple[Live, ...]:
    """Return the states once every service is healthy or busy.

    ``replaced`` holds the launcher pids from before a restart: as long as one of them
    still answers, its service counts as not yet there.

    Raises GateFailed, with the last lines of its log, for a service that failed for
    good, crashed three times in a row, is not run by its supervisor, or is not
    healthy within ``timeout_s``. A load that makes progress is never given up here:
    the launcher has the no-progress deadline.
    """
    begun = host.monotonic()
    last_alive = dict.fromkeys(services, begun)
    while True:
        now = host.monotonic()
        states = tuple(_fresh(live, replaced) for live in read_live(host, services))
        reporter.live(states)
        if all(live.state in SERVING for live in states):
            return states
        for live in states:
            if live.pid is not None:
                last_alive[live.name] = now
            if live.state in SERVING:
                continue  # whatever it went through before
            if reason := _hopeless(live, now - last_alive[live.name], supervisor):
                raise _failed(supervisor, live, reason)
        if now - begun > timeout_s:
            late = next(live for live in states if live.state not in SERVING)
            raise _failed(supervisor, late, f"not healthy within {timeout_s:g} s")
        host.pause(_LOOK_EVERY_S)


def _fresh(live: Live, replaced: Mapping[str, int | None]) -> Live:
    if live.launcher is None or live.launcher != replaced.get(live.name):
        return live
    if live.pid is None:  # its last word is none about the one that comes
        return Live(name=live.name, state="stopped", status="not begun again yet")
    return Live(name=live.name, state="draining", status="stopping, to start anew", pid=live.pid)


def _hopeless(live: Live, gone_s: float, supervisor: Supervisor) -> str:
    """Say why waiting for this service is in vain, empty when it is not."""
    if live.state == FAILED and live.pid is None:
        return live.exit_reason or live.status or "failed"
    if live.attempt > _CRASHES and live.exit_code:
        return f"crashed {live.attempt - 1} times; {live.exit_reason}"
    if gone_s > _GONE_S and live.name not in supervisor.running([live.name]):
        return live.exit_reason or f"{supervisor.name} does not run it"
    return ""


def _failed(supervisor: Supervisor, live: Live, reason: str) -> GateFailed:
    try:
        tail = supervisor.log(live.name, lines=15).rstrip()
    except HostError:  # hidden from who is not root; that it failed is not
        tail = ""
    shown = "\n".join(f"  | {line}" for line in tail.splitlines())
    command = " ".join(supervisor.log_command(live.name))
    log = f"\nlast lines of {live.name}; the log stays: {command}\n{shown}" if shown else ""
    words = "" if reason in {live.state, live.status} else f", {live.status}"
    # What holds itself back goes on doing so, whatever has been mended.
    again = f"; once it is mended: sudo trtllm-install restart {live.name}"
    return GateFailed(
        f"cannot bring up {live.name} ({live.state}{words}): {reason}{log}",
        hint=f"sudo {command}" + (again if live.state == BACKOFF else ""),
    )
