"""Packages of the distribution within a transaction: first the necessary ones, then advice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trtllm_install.app.reporter import Reporter
from trtllm_install.apply.packages import bring, hold_services, take_away
from trtllm_install.apply.transaction import Transaction
from trtllm_install.host.protocol import Host
from trtllm_install.judge.packages import necessary
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import LeftOut, ProxyBinary
from trtllm_install.model.tree import Change, Plan
from trtllm_install.probes.package_manager import (
    installed_packages,
    probe_debs,
    probe_packages,
)
from trtllm_install.probes.proxy_binary import probe_proxy_binary


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What a step takes from the distribution, and the proxy that it counts on then."""

    wanted: tuple[str, ...] = ()  # what was asked for; the plan has what that needs, too
    folder: str = ""  # of a bundle's packages
    debs: tuple[str, ...] = ()
    proxy: ProxyBinary | None = None


def bring_packages(
    host: Host, plan: Plan, supply: Supply, reporter: Reporter, transaction: Transaction
) -> tuple[Plan, tuple[LeftOut, ...]]:
    """Install the packages of a plan, and start none of their services.

    Returns the plan without those that were left out, and why: what only a warning asks
    for comes last, and where that fails it is taken away again. Raises HostError for all
    others, also when the proxy is then not the one that the plan counted on.
    """
    if not plan.packages:
        return plan, ()
    reporter.phase("install packages of the distribution")
    holds = list(hold_services(host))
    for hold in holds:
        transaction.make(hold)
    needed, advised = _parted(host, [change.path for change in plan.packages], supply)
    if needed.names:
        transaction.make_together(_of(plan, needed), lambda: _bring(host, needed, reporter))
    out = _tried(host, plan, advised, reporter, transaction) if advised.names else ()
    for hold in reversed(holds):
        transaction.take_back(hold)
    found = probe_proxy_binary(host)
    if supply.proxy and _outline(found) != _outline(supply.proxy):
        raise HostError(
            f"cannot use the packages: expected {_outline(supply.proxy)}, found {_outline(found)}",
            hint="install nginx with ngx_lua and lua-cjson yourself, then run this again",
        )
    if not out:
        return plan, ()
    # What could not be taken away stays in the plan, and so becomes the receipt's.
    gone = {*advised.names} - installed_packages(host, advised.names)
    for change in _of(plan, advised):
        if change.path not in gone:
            reporter.change(change)
    kept = tuple(c for c in plan.changes if c.kind != "package" or c.path not in gone)
    return replace(plan, changes=kept), out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lot:
    """Packages that one apt-get installs."""

    names: tuple[str, ...] = ()
    debs: tuple[str, ...] = ()


def _parted(host: Host, names: Sequence[str], supply: Supply) -> tuple[_Lot, _Lot]:
    """Part what is necessary, with all that it needs, from what only a warning asks for."""
    asked = necessary(supply.wanted)
    everything = _Lot(names=tuple(names), debs=supply.debs)
    if asked == supply.wanted or not asked:
        return (everything, _Lot()) if asked else (_Lot(), everything)
    debs = probe_debs(host, supply.folder, asked) if supply.folder else ()
    seen = probe_packages(host, asked, debs)
    first = {package.name for package in seen.brings} if seen and not seen.problem else set()
    if not first or not first <= {*names}:
        # apt would bring others for these alone. All that was planned comes, advice itself last.
        first = ({*names} - {*supply.wanted}) | {*asked}
    return (
        _Lot(names=tuple(n for n in names if n in first), debs=debs),
        _Lot(
            names=tuple(n for n in names if n not in first),
            debs=tuple(deb for deb in supply.debs if deb not in debs),
        ),
    )


def _of(plan: Plan, lot: _Lot) -> tuple[Change, ...]:
    return tuple(change for change in plan.packages if change.path in lot.names)


def _bring(host: Host, lot: _Lot, reporter: Reporter) -> None:
    bring(host, lot.names, lot.debs, reporter.note)


def _tried(
    host: Host, plan: Plan, lot: _Lot, reporter: Reporter, transaction: Transaction
) -> tuple[LeftOut, ...]:
    """Install what services run without; where that fails say so, and leave nothing half done."""
    asked = [change for change in _of(plan, lot) if not necessary([change.path])]
    try:
        transaction.make_together(_of(plan, lot), lambda: _bring(host, lot, reporter))
    except HostError as error:
        why = error.message
        try:
            take_away(host, lot.names, reporter.note)
        except HostError as stuck:
            names = " ".join(lot.names)
            why += f"; what is there of it stays ({stuck.message}): sudo apt-get purge {names}"
        for change in asked:
            reporter.note(f"goes on without {change.path}: {why}")
        return tuple(LeftOut(name=change.path, why=why) for change in asked)
    return ()


def _outline(proxy: object) -> tuple[object, ...]:
    """What a rendered configuration holds of the proxy's program."""
    if not isinstance(proxy, ProxyBinary):
        return ("no usable nginx",)
    return proxy.path, proxy.modules, proxy.lua_path, proxy.lua_cpath
