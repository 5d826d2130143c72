"""Reads what may confine our services or put the host to sleep."""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.host import Guards, SelinuxMode

SELINUX: Final = "/sys/fs/selinux/enforce"
APPARMOR: Final = "/sys/module/apparmor/parameters/enabled"
APPARMOR_RULES: Final = "/etc/apparmor.d"
APPARMOR_LOADED: Final = "/sys/kernel/security/apparmor/profiles"
_LIMIT: Final = 1_000_000
_MODES: Final[dict[str, SelinuxMode]] = {"1": "enforcing", "0": "permissive"}
_PROXY: Final = re.compile(r"nginx|openresty")
# Each is part of every suspend (systemd.special(7)): one that is masked prevents it.
TARGETS: Final = ("suspend.target", "sleep.target")
_LOGIND: Final = ("/usr/lib/systemd/logind.conf.d", "/etc/systemd/logind.conf.d")
_MANAGER: Final = "/etc/systemd/system/display-manager.service"


def probe_guards(host: Host) -> Guards | Unknown:
    """Return SELinux' mode and the AppArmor profiles that confine a proxy program."""
    try:
        enforce = _text(host, SELINUX).strip()
        return Guards(selinux=_MODES.get(enforce, "off"), confined=tuple(_confined(host)))
    except HostError as error:
        return Unknown(reason=error.message)


def _confined(host: Host) -> Iterator[str]:
    """Only root may read which profiles are loaded, so it is asked only where one could be."""
    if _text(host, APPARMOR).strip() != "Y":
        return
    if not any(_PROXY.search(name) for name in host.names_in(APPARMOR_RULES)):
        return
    for line in _text(host, APPARMOR_LOADED).splitlines():
        name, _, mode = line.rpartition(" ")
        if mode == "(enforce)" and _PROXY.search(name):
            yield name


def probe_sleep(host: Host) -> str | Unknown:
    """Return what may put the host to sleep, empty where nothing does that was looked for.

    That is a desktop that does so at its login screen (GNOME's), and logind's own idle action.
    """
    try:
        if any(_masked(host, target) for target in TARGETS):
            return ""
        action = _idle_action(host)
        if action not in {"", "ignore", "lock"}:
            return f"logind's IdleAction is {action}"
        entry = host.look(_MANAGER)
        manager = posixpath.basename(entry.target) if entry else ""
        if manager.startswith("gdm"):
            return f"the desktop of {manager} suspends an idle host"
    except HostError as error:
        return Unknown(reason=error.message)
    return ""


def _masked(host: Host, unit: str) -> bool:
    entry = host.look(f"/etc/systemd/system/{unit}")
    return entry is not None and entry.target == "/dev/null"


def _idle_action(host: Host) -> str:
    """Return IdleAction of logind.conf(5): drop-ins in the order of their names, the last wins."""
    names = {name: folder for folder in _LOGIND for name in host.names_in(folder)}
    drop_ins = [f"{names[name]}/{name}" for name in sorted(names) if name.endswith(".conf")]
    action = ""
    for path in ("/usr/lib/systemd/logind.conf", "/etc/systemd/logind.conf", *drop_ins):
        said = re.findall(r"^\s*IdleAction\s*=\s*(\S*)", _text(host, path), re.MULTILINE)
        action = said[-1] if said else action
    return action


def _text(host: Host, path: str) -> str:
    """Return a file, empty where it is absent; raises HostError where it may not be read."""
    return (host.read(path, limit=_LIMIT) or b"").decode(errors="replace")
