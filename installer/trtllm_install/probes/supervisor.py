"""Reads what starts services on this host."""

import re
from collections.abc import Iterator
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import SupervisorFacts, Unknown

_SHARED: Final = re.compile(r"libsystemd-shared-(\d+).*\.so")


def probe_supervisor(host: Host, supervisord: str) -> SupervisorFacts | Unknown:
    """Return process 1 and the programs; ``supervisord`` is our own venv's, tried first."""
    try:
        if host.image():
            return _of_image(host, supervisord)
        init = (host.read("/proc/1/comm", limit=64) or b"").decode(errors="replace").strip()
        # systemd makes this folder and nothing else does (sd_booted(3)); the name is
        # asked as well, since a container may show the host's /run.
        # Where /proc hides process 1 from this user, the folder has to do.
        systemd = init in {"systemd", ""} and host.look("/run/systemd/system") is not None
        ours = host.look(host.resolve(supervisord))
        return SupervisorFacts(
            init=init,
            systemd=systemd,
            systemd_version=_systemd_version(host) if systemd else None,
            supervisord=supervisord if ours is not None else host.which("supervisord"),
        )
    except HostError as error:
        return Unknown(reason=error.message)


def _of_image(host: Host, supervisord: str) -> SupervisorFacts:
    """What process 1 will be: the program behind /sbin/init."""
    program = host.resolve("/sbin/init")
    there = host.look(program) is not None
    systemd = there and program.endswith("/systemd/systemd")
    folders = ("/usr/lib/systemd", "/lib/systemd", *_multiarch(host))
    shared = (_SHARED.fullmatch(name) for f in folders for name in host.names_in(f))
    stated = next((match for match in shared if match), None)
    return SupervisorFacts(
        init="systemd" if systemd else program.rpartition("/")[2] if there else "",
        systemd=systemd,
        systemd_version=int(stated[1]) if systemd and stated else None,
        supervisord=supervisord if host.look(host.resolve(supervisord)) else None,
    )


def _multiarch(host: Host) -> Iterator[str]:
    for name in host.names_in("/usr/lib"):
        if name.endswith("-linux-gnu"):
            yield f"/usr/lib/{name}/systemd"


def _systemd_version(host: Host) -> int | None:
    try:
        said = host.run(["systemctl", "--version"], timeout=10).stdout
    except HostError:
        return None
    stated = re.match(r"systemd (\d+)", said)
    return int(stated[1]) if stated else None
