"""What differs between this host and its receipt; reads only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from trtllm_install.app.cut_off import AGAIN, Cut, cut_off
from trtllm_install.app.operate import installed_receipt
from trtllm_install.app.reporter import Live, Reporter
from trtllm_install.app.services import read_live, supervisor_called
from trtllm_install.host.protocol import Host
from trtllm_install.host.seeing import see
from trtllm_install.judge.drift_services import (
    judge_launchers,
    judge_ports,
    judge_proxy,
    judge_units,
)
from trtllm_install.judge.drift_tree import Installed, judge_tree
from trtllm_install.model import layout
from trtllm_install.model.drift import Drift, Weight
from trtllm_install.model.errors import ConfigError, HostError
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.units import UnitFacts
from trtllm_install.model.launchspec import LaunchSpec
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import Action, Change, Tree
from trtllm_install.plan.diff import unified
from trtllm_install.plan.services import fingerprints
from trtllm_install.probes.launchers import probe_launchers, probe_routes_generation
from trtllm_install.probes.ports import probe_ports
from trtllm_install.proxy.generation import served_generation
from trtllm_install.receipts.generations import path_of, read_generation

_ONLY_ROOT = Unknown(reason=f"only root may ask it on {layout.PROXY_ADMIN_SOCKET}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Everything that differs, and the services as they are."""

    receipt: Receipt
    drift: tuple[Drift, ...]
    services: tuple[Live, ...]

    def of(self, weight: Weight) -> tuple[Drift, ...]:
        """Return the differences of one weight."""
        return tuple(one for one in self.drift if one.weight is weight)


def verify(host: Host, reporter: Reporter) -> Verified:
    """Compare; raises ConfigError where nothing is installed or the receipt is damaged."""
    receipt = installed_receipt(host)
    reporter.profile(receipt.profile)
    drift = [*_run_cut_off(host)]
    installed = Installed(receipt=receipt, whole=None)
    try:
        whole = read_generation(host, receipt.generation).desired
        installed = replace(installed, whole=whole)
    except HostError as error:
        drift.append(_record(receipt, error.message, Weight.UNKNOWN))
    except ConfigError as error:
        drift.append(_record(receipt, error.message, Weight.DRIFT))
    tree, unread = _seen(host, installed)
    names = [a.name for a in installed.whole.accounts] if installed.whole else []
    homes = {name: host.home_of(name) for name in names}
    on_disk = judge_tree(installed, tree, unread, homes)
    drift += [replace(d, diff=_diff(installed, tree, d)) for d in on_disk]
    drift += _running(host, installed, tree)
    services = read_live(host, receipt.order)
    return Verified(receipt=receipt, drift=tuple(drift), services=services)


def _run_cut_off(host: Host) -> Iterator[Drift]:
    state, note = cut_off(host)
    if state in {Cut.OFF, Cut.UNKNOWN}:
        weight = Weight.DRIFT if state is Cut.OFF else Weight.UNKNOWN
        yield Drift(
            kind="run",
            subject=layout.JOURNAL,
            aspect="open",
            expected="no journal",
            found=note,
            remedy=AGAIN,
            weight=weight,
        )


def _record(receipt: Receipt, cause: str, weight: Weight) -> Drift:
    return Drift(
        kind="record",
        subject=path_of(receipt.generation),
        aspect="content",
        expected="modes, owners and folders of what is installed",
        found=cause,
        remedy="sudo trtllm-install verify" if weight is Weight.UNKNOWN else "sudo trtllm-install",
        weight=weight,
    )


def _seen(host: Host, installed: Installed) -> tuple[Tree, dict[str, str]]:
    """Return what is there at every path of ours, and why some of it could not be read."""
    receipt, whole = installed.receipt, installed.whole
    paths = {*receipt.files, *receipt.links}
    if whole:
        paths |= whole.paths
        paths |= {path for s in whole.services for path in (*s.inputs, *s.reload_inputs)}
    found, unread = {}, {}
    for path in paths:
        try:
            if seen := see(host, path):
                found[path] = seen
        except HostError as error:  # noqa: PERF203 (each on its own)
            unread[path] = error.message
    return Tree(paths=found), unread


def _running(host: Host, installed: Installed, tree: Tree) -> Iterator[Drift]:
    receipt, whole = installed.receipt, installed.whole
    units = _units(host, receipt)
    yield from judge_units(installed, units)
    if host.image():
        return
    launchers = probe_launchers(host, receipt.order)
    now = fingerprints(whole, tree, ()) if whole else {}
    yield from judge_launchers(installed, tree, now, launchers, units)
    yield from judge_ports(installed, probe_ports(host, tuple(_listening(receipt.order, tree))))
    if launchers.get("proxy") is not None:
        served = served_generation(host) if host.is_root() else _ONLY_ROOT
        yield from judge_proxy(probe_routes_generation(host), served)


def _units(host: Host, receipt: Receipt) -> tuple[UnitFacts, ...] | Unknown:
    try:
        return supervisor_called(receipt.supervisor, host).describe(receipt.order)
    except HostError as error:
        return Unknown(reason=error.message)


def _listening(services: Sequence[str], tree: Tree) -> Iterator[tuple[str, str, int]]:
    """Where each service listens, by the launch spec on disk."""
    for name in services:
        seen = tree.paths.get(layout.launch_spec(name))
        try:
            spec = LaunchSpec.from_json(seen.content.decode()) if seen else None
        except ValueError:
            continue  # a spec that cannot be read is drift of its file
        if spec:
            yield name, spec.host, spec.port


def _diff(installed: Installed, tree: Tree, drift: Drift) -> str:
    shipped, there = installed.files.get(drift.subject), tree.paths.get(drift.subject)
    if drift.aspect != "content" or shipped is None or there is None or there.kind != "file":
        return ""
    old = replace(there, content=shipped.content)
    change = Change(
        action=Action.REPLACE,
        kind="file",
        path=drift.subject,
        reason="",
        old=old,
        content=there.content,
    )
    return unified(change)
