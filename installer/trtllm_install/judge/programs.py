"""Judges the programs that have to be there: proxy, supervisor, engine, libraries."""

from collections.abc import Iterator, Sequence
from typing import Final

from trtllm_install.judge.packages import PROXY, brought, necessary
from trtllm_install.model import layout
from trtllm_install.model.engine import SIMULATED
from trtllm_install.model.facts import (
    EngineFacts,
    Facts,
    ProxyBinary,
    Unknown,
)
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

OLDEST_SYSTEMD: Final = 252  # the oldest that the units were tried on
# What our units need to work at all: until 239 there is no @system-service to allow
# (systemd's NEWS), and until 236 a service cannot ask for more time while it loads.
NEEDED_SYSTEMD: Final = 239
# Directives of our units that came later, and with which version; older ones ignore them.
_LATER: Final = {
    "ProtectHostname": 242,
    "RestrictSUIDSGID": 242,
    "OOMPolicy": 243,
    "ProtectKernelLogs": 244,
    "ProtectClock": 245,
}


def check_proxy(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find a proxy program that is missing or cannot run Lua, and that no package will bring."""
    if necessary(brought(facts)) or not installation.proxy:
        return
    if facts.proxy is None:
        yield found(
            "proxy-binary-missing",
            "proxy",
            what="neither openresty nor nginx is installed",
            expected="OpenResty, or nginx with ngx_lua and lua-cjson",
            remedy=_packages_command(facts, PROXY),
        )
    elif isinstance(proxy := facts.proxy, ProxyBinary) and proxy.missing:
        yield found(
            "proxy-module-missing",
            "proxy",
            what=f"{proxy.path} {proxy.version} without {' '.join(proxy.missing)}",
            expected="ngx_lua, resty.core and cjson",
            remedy=_packages_command(facts, proxy.missing),
        )


def _packages_command(facts: Facts, names: Sequence[str]) -> str:
    """Return what installs them; other distributions have no ngx_lua of their own."""
    packages = facts.packages
    if packages and packages.manager != "apt":
        tool = packages.manager or "the package manager"
        return f"install OpenResty with {tool} from its own repository (openresty.org)"
    inside = f"chroot {facts.image.folder} " if facts.image else ""
    return f"sudo {inside}apt-get install {' '.join(names)}"


def check_supervisor(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find a supervisor that was chosen and is not there."""
    seen = facts.supervisor
    if isinstance(seen, Unknown):
        return
    if installation.supervisor == "systemd":
        if not seen.systemd:
            yield found(
                "supervisor-missing",
                "systemd",
                what=f"process 1 is {seen.init or 'unknown'}",
                expected="systemd as process 1",
                remedy="--init supervisord",
            )
        else:
            yield from _systemd(seen.systemd_version)
    elif seen.supervisord is None:
        yield found(
            "supervisor-missing",
            "supervisord",
            what="no supervisord beside this tool or on the path",
            expected=f"{layout.TOOL}/bin/supervisord",
            remedy=f"sudo {layout.TOOL}/bin/pip install supervisor",
        )


def _systemd(version: int | None) -> Iterator[Finding]:
    verify = "sudo systemd-analyze verify /etc/systemd/system/trtllm-*.service"
    lost = [name for name, since in _LATER.items() if version is not None and version < since]
    if version is None:
        yield found(
            "systemd-untried",
            "systemd",
            what="systemctl --version says no version that could be read",
            expected=f"{OLDEST_SYSTEMD} or newer",
            remedy=f"systemctl --version, and after the install {verify}",
        )
    elif version < NEEDED_SYSTEMD:
        yield found(
            "systemd-too-old",
            f"systemd {version}",
            what="it lacks what the units are made of",
            expected=f"{OLDEST_SYSTEMD} or newer",
            remedy="--init supervisord, or a newer release of the distribution",
        )
    elif version < OLDEST_SYSTEMD:
        yield found(
            "systemd-untried",
            f"systemd {version}",
            what=f"it ignores {', '.join(lost)}" if lost else "it knows every line of the units",
            expected=f"{OLDEST_SYSTEMD} or newer",
            remedy=f"{verify}, or --init supervisord",
        )


def check_engine(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find an engine that is missing, of another version, or not the real one."""
    engine, version = facts.engine, installation.engine_version
    if isinstance(engine, Unknown):
        return
    if installation.simulate:
        yield from _simulated(engine)
        return
    if installation.checked_as != version:
        yield found(
            "engine-version-unknown",
            version,
            what=f"arguments and YAML were checked as {installation.checked_as}",
            expected="a version whose contract this tool ships",
            remedy=f"sudo trtllm-install engine use {installation.checked_as}",
        )
    if not engine.present or engine.simulated:
        code = "engine-simulated" if engine.present else "engine-missing"
        yield found(
            code,
            engine.path,
            what="it is the stand-in for tests" if engine.present else "no such program",
            expected=f"trtllm-serve of TensorRT-LLM {version}",
            remedy=f"sudo trtllm-install engine add {version}, then install again"
            + (", or say --simulate to stay with it" if engine.present else ""),
        )
    elif engine.version != version:
        yield found(
            "engine-version-differs",
            engine.path,
            what=_stated(engine),
            expected=version,
            remedy=f"sudo trtllm-install engine add {version} (or --accept engine-version-differs)",
        )


def _simulated(engine: EngineFacts) -> Iterator[Finding]:
    """A simulated engine comes with the tool; one of another folder has to be there."""
    if engine.path in {layout.trtllm_serve(), f"{layout.engine(SIMULATED)}/bin/trtllm-serve"}:
        return  # install writes it
    if not engine.present or not engine.simulated:
        yield found(
            "engine-missing",
            engine.path,
            what="it is not a simulated engine" if engine.present else "no such program",
            expected="a simulated engine, since --simulate was said",
            remedy="sudo trtllm-install engine use simulated",
        )


def _stated(engine: EngineFacts) -> str:
    return f"version {engine.version}" if engine.version else "no version that could be read"
