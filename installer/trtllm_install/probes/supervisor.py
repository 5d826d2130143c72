"""Reads what starts services on this host."""

import re

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import SupervisorFacts, Unknown


def probe_supervisor(host: Host, supervisord: str) -> SupervisorFacts | Unknown:
    """Return process 1 and the programs; ``supervisord`` is our own venv's, tried first."""
    try:
        init = (host.read("/proc/1/comm", limit=64) or b"").decode(errors="replace").strip()
        # systemd makes this folder and nothing else does (sd_booted(3)); the name is
        # asked as well, since a container may show the host's /run.
        systemd = init == "systemd" and host.look("/run/systemd/system") is not None
        ours = host.look(host.resolve(supervisord))
        return SupervisorFacts(
            init=init,
            systemd=systemd,
            systemd_version=_systemd_version(host) if systemd else None,
            supervisord=supervisord if ours is not None else host.which("supervisord"),
        )
    except HostError as error:
        return Unknown(reason=error.message)


def _systemd_version(host: Host) -> int | None:
    try:
        said = host.run(["systemctl", "--version"], timeout=10).stdout
    except HostError:
        return None
    stated = re.match(r"systemd (\d+)", said)
    return int(stated[1]) if stated else None
