"""Reads what starts services on this host."""

import re
from collections.abc import Iterator
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import SupervisorFacts, Unknown

_SHARED: Final = re.compile(r"libsystemd-shared-(\d+).*\.so")


def runs_systemd(host: Host) -> bool:
    """Tell whether systemd is process 1, or of an image will be; false where nobody can tell."""
    try:
        return _init(host)[1]
    except HostError:
        return False


def probe_supervisor(host: Host, supervisord: str) -> SupervisorFacts | Unknown:
    """Return process 1 and the programs; ``supervisord`` is our own venv's, tried first."""
    version = _version_of_image if host.image() else _systemd_version
    try:
        init, systemd = _init(host)
        other = None if host.image() else host.which("supervisord")
        ours = host.look(host.resolve(supervisord))
        return SupervisorFacts(
            init=init,
            systemd=systemd,
            systemd_version=version(host) if systemd else None,
            supervisord=other if ours is None else supervisord,
        )
    except HostError as error:
        return Unknown(reason=error.message)


def _init(host: Host) -> tuple[str, bool]:
    """Return the name of process 1, and whether it is systemd."""
    if host.image():  # what it will be: the program behind /sbin/init
        program = host.resolve("/sbin/init")
        there = host.look(program) is not None
        systemd = there and program.endswith("/systemd/systemd")
        return "systemd" if systemd else program.rpartition("/")[2] if there else "", systemd
    name = (host.read("/proc/1/comm", limit=64) or b"").decode(errors="replace").strip()
    # systemd makes this folder and nothing else does (sd_booted(3)); the name is
    # asked as well, since a container may show the host's /run.
    # Where /proc hides process 1 from this user, the folder has to do.
    return name, name in {"systemd", ""} and host.look("/run/systemd/system") is not None


def _version_of_image(host: Host) -> int | None:
    folders = ("/usr/lib/systemd", "/lib/systemd", *_multiarch(host))
    shared = (_SHARED.fullmatch(name) for f in folders for name in host.names_in(f))
    stated = next((match for match in shared if match), None)
    return int(stated[1]) if stated else None


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
