"""What follows from a configuration file that the operator removed."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.model import layout
from trtllm_install.model.facts import Facts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

_NAMED: Final = 3  # paths; `verify` lists all of them


def check_removed(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Say what could not start, or would not after a reboot, without the files that are gone.

    One finding for each loss, however many files it takes. A file that this installation
    no longer wants is nobody's.
    """
    losses: dict[str, list[str]] = {}
    for path in facts.removed:
        if loss := _loss(path, installation):
            losses.setdefault(loss, []).append(path)
    for loss, paths in losses.items():
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        yield found(
            "file-removed",
            ", ".join(paths[:_NAMED]) + more,
            what=f"removed here, and {loss}",
            remedy="sudo trtllm-install --on-conflict restore",
        )


def _loss(path: str, installation: Installation) -> str:
    for name in installation.services:
        if path == layout.launch_spec(name):
            return f"{name} cannot start"
        if path == f"{layout.UNITS}/{layout.unit(name)}" and _under_systemd(installation):
            return f"systemd cannot start {name}"
    readers = [
        i.name for i in installation.instances if i.reads_config and i.engine_config_path == path
    ]
    if readers:
        return f"{', '.join(readers)} cannot start"
    if path.startswith(f"{layout.PROXY}/") and installation.proxy:
        return "the proxy cannot start"
    if _under_systemd(installation):
        return _SYSTEMD.get(path, "")
    return "supervisord cannot start" if path == layout.SUPERVISORD_CONF else ""


def _under_systemd(installation: Installation) -> bool:
    return installation.supervisor == "systemd"


_SYSTEMD = {
    f"{layout.UNITS}/{layout.TARGET}": "nothing starts at boot",
    f"{layout.UNITS}/{layout.unit('gpu-ready')}": "no GPU may be ready after a reboot",
    layout.TMPFILES: f"{layout.RUN} is not made after a reboot",
}
