"""Where each service is, by its launcher's own account."""

import json
from collections.abc import Sequence

from trtllm_install.app.reporter import Live
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.supervisors.image import ImageSupervisor
from trtllm_install.supervisors.protocol import Supervisor
from trtllm_install.supervisors.supervisord import Supervisord
from trtllm_install.supervisors.systemd import Systemd


def supervisor_called(name: str, host: Host) -> Supervisor:
    """Return the supervisor with this name; of an image, what stands in for it."""
    if host.image():
        return ImageSupervisor(host, name)
    return Systemd(host) if name == "systemd" else Supervisord(host)


def make_run_folder(host: Host) -> None:
    """Make the folder of live states where a reboot took it."""
    if host.look(layout.RUN) is None:
        host.make_directory(layout.RUN, mode=0o755, owner=layout.USER)


def forget_ended(host: Host, services: Sequence[str]) -> None:
    """Remove the last words of launchers that are gone, before their services are begun again.

    What waits, here and in launchers of services that come later, would take a failure of
    before for one of the new launcher, which needs a moment to begin. Raises HostError.
    """
    for live in read_live(host, services):
        path = layout.live_state(live.name)
        if live.pid is None and host.look(path):
            host.remove(path)


def told_in_words(names: Sequence[str]) -> str:
    """Return "qwen", "qwen and proxy", "qwen, nemotron and proxy"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def read_live(host: Host, services: Sequence[str]) -> tuple[Live, ...]:
    """Return the live state of each service; one whose launcher is gone is "absent"."""
    return tuple(_live(host, name) for name in services)


def _live(host: Host, name: str) -> Live:
    absent = Live(name=name, state="absent", status="not started")
    try:
        raw = host.read(layout.live_state(name))
        record = json.loads(raw) if raw else None
    except ValueError:  # being written by something that is not our launcher
        record = None
    if not isinstance(record, dict):
        return absent
    ended = record.get("exit")
    ended = ended if isinstance(ended, dict) else {}
    attempt = record.get("attempt")
    pid = record.get("pid")
    alive = isinstance(pid, int) and host.look(f"/proc/{pid}") is not None
    state = str(record.get("state", "absent"))
    # The file outlives a launcher that was killed, and must not lie for it; its ``exit`` may be
    # that of a life before.
    told = alive or (state in {"stopped", "failed", "backoff"})
    return Live(
        name=name,
        state=state if told else "absent",
        status=str(record.get("status", ""))
        if told and (alive or ended)
        else "its launcher is gone",
        since=record.get("since"),
        port=record.get("port"),
        pid=pid if alive else None,
        launcher=pid if isinstance(pid, int) else None,
        child_pid=record.get("child_pid") if alive else None,
        load_s=record.get("load_seconds"),
        exit_code=ended.get("code"),
        exit_reason=str(ended.get("reason", "")),
        attempt=attempt if isinstance(attempt, int) else 0,
    )
