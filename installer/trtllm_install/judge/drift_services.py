"""Units, launchers, ports and the proxy as they run, against what is on disk."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from trtllm_install.judge.drift_tree import AGAIN, Installed
from trtllm_install.model import layout
from trtllm_install.model.desired import Service
from trtllm_install.model.drift import Drift, Weight
from trtllm_install.model.facts import PortFacts, Unknown
from trtllm_install.model.facts.units import LauncherFacts, UnitFacts
from trtllm_install.model.tree import Fingerprint, Tree

_VENDOR = ("/usr/lib/systemd/", "/lib/systemd/", "/run/systemd/")
_NANO = 1_000_000_000


def judge_units(installed: Installed, units: tuple[UnitFacts, ...] | Unknown) -> Iterator[Drift]:
    """Yield how units differ from "loaded from ours, read again, in force, running"."""
    if isinstance(units, Unknown):
        name = installed.receipt.supervisor
        yield Drift(
            kind="unit", subject=name, aspect="state", found=units.reason, weight=Weight.UNKNOWN
        )
        return
    # A supervisord that does not run knows of no program, and starts all of them with itself.
    down = [unit for unit in units if unit.unit == "supervisord" and not unit.runs]
    for unit in down or units:
        yield from _unit(unit, started=installed.receipt.started)


def _unit(unit: UnitFacts, *, started: bool) -> Iterator[Drift]:
    def differs(aspect: str, found: str, expected: str, remedy: str, weight: Weight) -> Drift:
        return Drift(
            kind="unit",
            subject=unit.unit,
            aspect=aspect,
            expected=expected,
            found=found,
            remedy=remedy,
            weight=weight,
        )

    own = f"{layout.UNITS}/{unit.unit}"
    drift, information = Weight.DRIFT, Weight.INFORMATION
    not_started = drift if started else information
    if unit.load == "masked":
        yield differs("load", "masked", "loaded", f"sudo systemctl unmask {unit.unit}", drift)
    elif unit.load != "loaded":
        yield differs("load", unit.load, "loaded", AGAIN, not_started)
    elif unit.path and unit.path != own:
        yield differs("path", unit.path, own, f"sudo rm {unit.path}, then: {AGAIN}", drift)
    if unit.needs_reread:
        remedy = "sudo systemctl daemon-reload"
        yield differs("read", "its files changed since", "read by systemd", remedy, drift)
    if unit.enabled and unit.enabled != "enabled":
        remedy = f"sudo systemctl enable {unit.unit}"
        yield differs("enabled", unit.enabled, "enabled", remedy, not_started)
    if not unit.runs:
        # Of what holds them together too: all of it starts.
        alone = "" if unit.unit in {layout.TARGET, "supervisord"} else unit.name
        remedy = f"sudo trtllm-install start {alone}".rstrip()
        yield differs("active", unit.active, "active", remedy, not_started)
    for path in unit.drop_ins:
        if not path.startswith(_VENDOR):
            yield differs("drop-in", path, "", f"systemctl cat {unit.unit} shows it", information)


def judge_launchers(
    installed: Installed,
    tree: Tree,
    now: Mapping[str, Fingerprint],
    launchers: Mapping[str, LauncherFacts | Unknown | None],
    units: tuple[UnitFacts, ...] | Unknown,
) -> Iterator[Drift]:
    """Yield services that run with something older than what is on disk.

    ``now`` are the fingerprints of what is on disk. A launcher that is not the process
    which its supervisor runs is not that service.
    """
    run_by = {u.name: u.pid for u in units} if not isinstance(units, Unknown) else {}
    for service in installed.whole.services if installed.whole else ():
        launcher = launchers.get(service.name)
        pid = run_by.get(service.name)
        if isinstance(launcher, Unknown):
            yield _service(service, "process", launcher.reason, "", weight=Weight.UNKNOWN)
        elif launcher is None and pid:
            yield _service(service, "process", f"pid {pid} is no launcher of ours", "our launcher")
        elif launcher and pid and launcher.pid != pid:
            found = f"a launcher with pid {launcher.pid} beside it"
            yield _service(service, "process", found, f"only pid {pid}")
        elif launcher:
            yield from _older(installed, service, tree, now, launcher)


def _older(
    installed: Installed,
    service: Service,
    tree: Tree,
    now: Mapping[str, Fingerprint],
    launcher: LauncherFacts,
) -> Iterator[Drift]:
    spec = layout.launch_spec(service.name)
    there = tree.paths.get(spec)
    if there and there.kind == "file" and sha256(there.content).hexdigest() != launcher.spec:
        yield _service(service, "launch spec", "it runs with another", f"what is in {spec}")
    begun_with = installed.receipt.services.get(service.name)
    if begun_with is None or begun_with.restart == now[service.name].restart:
        return
    for path in service.inputs:
        seen = tree.paths.get(path)
        if path != spec and seen and seen.mtime_ns > launcher.started_at * _NANO:
            yield _service(service, "input", "it runs with an older one", f"what is in {path}")


def judge_ports(
    installed: Installed,
    ports: tuple[tuple[str, PortFacts | Unknown], ...],
) -> Iterator[Drift]:
    """Yield ports of ours on which somebody else listens."""
    for name, port in ports:
        if isinstance(port, Unknown):
            yield Drift(
                kind="port", subject=name, aspect="holder", found=port.reason, weight=Weight.UNKNOWN
            )
        elif port.listening and port.holder is None:
            yield Drift(
                kind="port",
                subject=f"{port.address}:{port.port}",
                aspect="holder",
                found="only root can see who listens",
                remedy="sudo trtllm-install verify",
                weight=Weight.UNKNOWN,
            )
        elif port.holder and not port.holder.ours:
            holder = port.holder
            unit = f" of {holder.unit}" if holder.unit else ""
            yield Drift(
                kind="port",
                subject=f"{port.address}:{port.port}",
                aspect="holder",
                expected=f"{name} of profile {installed.receipt.profile}",
                found=f"{holder.name} (pid {holder.pid}{unit})",
                remedy=f"sudo systemctl stop {holder.unit}"
                if holder.unit.endswith(".service")
                else f"stop it where it was started (sudo kill {holder.pid})",
            )


def judge_proxy(on_disk: str, served: str | Unknown | None) -> Iterator[Drift]:
    """Yield a proxy that answers with another configuration than the one on disk."""
    is_hidden = isinstance(served, Unknown)
    if is_hidden or (on_disk and served != on_disk):
        yield Drift(
            kind="proxy",
            subject="proxy",
            aspect="generation",
            expected=on_disk,
            found=served.reason if isinstance(served, Unknown) else served or "no answer",
            remedy="sudo trtllm-install verify"
            if is_hidden
            else "sudo trtllm-install restart proxy",
            weight=Weight.UNKNOWN if is_hidden else Weight.DRIFT,
        )


def _service(
    service: Service, aspect: str, found: str, expected: str, weight: Weight = Weight.DRIFT
) -> Drift:
    remedy = f"sudo trtllm-install restart {service.name}" if weight is Weight.DRIFT else ""
    return Drift(
        kind="service",
        subject=service.name,
        aspect=aspect,
        expected=expected,
        found=found,
        remedy=remedy,
        weight=weight,
    )
