"""Packages of the distribution within a transaction, and the services that they must not start."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from trtllm_install.apply import apt
from trtllm_install.apply.accounts import run
from trtllm_install.host.protocol import Host
from trtllm_install.host.seeing import see
from trtllm_install.model.tree import Action, Change

POLICY: Final = "/usr/sbin/policy-rc.d"
_BEFORE: Final = "/usr/sbin/policy-rc.d.trtllm-before"
# invoke-rc.d(8): 101 = not allowed. Everything else is asked of whoever decided before.
_SCRIPT: Final = f"""#!/bin/sh
# Put here by trtllm-install while it installs packages: a new nginx must not take port 80.
case " $* " in *" nginx "* | *" nginx.service "*) exit 101 ;; esac
[ ! -x {_BEFORE} ] || exec {_BEFORE} "$@"
exit 0
"""
_DEPENDS: Final = "${Package}\\t${Pre-Depends} ${Depends}\\n"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # of a package (deb-control(5)), or a version
_NGINX_UNITS: Final = ("/lib/systemd/system/nginx.service", "/usr/lib/systemd/system/nginx.service")


def hold_services(host: Host) -> Iterator[Change]:
    """Yield the changes that keep nginx as it is, stopped or running, while dpkg works.

    They are put back with the transaction's ``take_back``, and by an undo.
    """
    there = see(host, POLICY)
    if there:
        yield Change(
            action=Action.CREATE,
            kind="link" if there.kind == "link" else "file",
            path=_BEFORE,
            reason="somebody else's, asked while ours stands in its place",
            old=see(host, _BEFORE),
            content=there.content,
            target=there.target,
            mode=there.mode,
            owner=there.owner,
        )
    yield Change(
        action=Action.REPLACE if there else Action.CREATE,
        kind="file",
        path=POLICY,
        reason="no service is started while packages are installed",
        old=there,
        content=_SCRIPT.encode(),
        mode=0o755,
    )


def has_nginx_service(host: Host) -> bool:
    """Tell whether a package has brought the distribution's own nginx.service."""
    return any(host.look(host.resolve(path)) for path in _NGINX_UNITS)


def disable_nginx(host: Host) -> None:
    """Keep an nginx that we brought from starting at boot; raises HostError."""
    if host.which("systemctl"):
        run(host, "systemctl", "disable", "--quiet", "nginx.service")
    elif host.which("update-rc.d"):
        run(host, "update-rc.d", "nginx", "disable")


def bring(host: Host, names: Sequence[str], debs: Sequence[str], told: apt.Told) -> None:
    """Install, and leave a service that came with it stopped and disabled; raises HostError."""
    had = has_nginx_service(host)
    apt.install(host, names, debs, told)
    if not had and has_nginx_service(host):
        disable_nginx(host)


def take_away(host: Host, names: Sequence[str], told: apt.Told = lambda _: None) -> None:
    """Remove those of ``names`` that are here; absent is fine. Raises HostError."""
    if there := [name for name in names if _is_here(host, name)]:
        apt.purge(host, there, told)


def removable(host: Host, names: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return those of ``names`` that nobody else needs, and why each of the others stays.

    Reads only. nginx that its own service runs, or will at boot, is somebody's by now.
    """
    there = [name for name in names if _is_here(host, name)]
    stays: dict[str, str] = {}
    if _nginx_is_used(host):
        stays |= {n: "nginx.service is in use" for n in there if n.startswith("nginx")}
    while True:
        rest = [name for name in there if name not in stays]
        needed = _needed(host, rest)
        if not needed:
            return tuple(rest), stays
        stays |= needed


def _needed(host: Host, names: Sequence[str]) -> dict[str, str]:
    """Return why each of ``names`` stays that something depends on which is not among them."""
    if not names or not (others := apt.purged_with(host, names) - set(names)):
        return {}
    asked = ("dpkg-query", "--show", f"--showformat={_DEPENDS}", *sorted(others))
    fields = (line.split("\t") for line in host.run(asked).stdout.splitlines())
    needs = {field[0]: set(_NAME.findall(field[-1])) for field in fields}
    told = {
        name: ", ".join(other for other in needs if name in needs[other])
        for name in names
        if any(name in wanted for wanted in needs.values())
    }
    # Of what is needed by another name, nobody can say which it is: all of it stays.
    told = told or dict.fromkeys(names, ", ".join(sorted(others)))
    return {name: f"{who} needs it" for name, who in told.items()}


def _nginx_is_used(host: Host) -> bool:
    if not host.which("systemctl"):
        return False
    asked = ("is-active", "is-enabled")
    words = {host.run(["systemctl", ask, "nginx.service"]).stdout.strip() for ask in asked}
    return bool(words & {"active", "enabled"})


def _is_here(host: Host, name: str) -> bool:
    form = "--showformat=${db:Status-Status}"
    status = host.run(["dpkg-query", "--show", form, name]).stdout.strip()
    return status not in {"", "not-installed"}
