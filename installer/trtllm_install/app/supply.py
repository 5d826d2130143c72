"""Packages of the distribution: fetched before the transaction, installed within it."""

from dataclasses import dataclass

from trtllm_install.app.observe import Judged, look_at, refuse_errors
from trtllm_install.app.options import Options
from trtllm_install.app.reporter import Reporter
from trtllm_install.apply import apt
from trtllm_install.apply.packages import bring, hold_services
from trtllm_install.apply.transaction import Transaction
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError, PreflightFailed
from trtllm_install.model.facts import ProxyBinary
from trtllm_install.model.tree import Plan
from trtllm_install.probes.proxy_binary import probe_proxy_binary


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What a step takes from the distribution, and the proxy that it counts on then."""

    debs: tuple[str, ...] = ()
    proxy: ProxyBinary | None = None


def fetch_first(host: Host, judged: Judged, options: Options, reporter: Reporter) -> Judged:
    """Download the packages that will be brought; the lists are read where that is needed.

    Returns what was found then. Raises PreflightFailed when they cannot be had, with
    nothing installed.
    """
    packages = judged.facts.packages
    if packages is None or not packages.can_bring or packages.debs:
        return judged
    reporter.phase("fetch packages of the distribution")
    try:
        if packages.lists_read:
            _download(host, judged, reporter)
            return judged
    except HostError as error:
        # The archive has moved on since the lists were read.
        reporter.note(error.message)
    try:
        apt.update_lists(host, reporter.note)
        judged = look_at(host, options, reporter)
        refuse_errors(judged)
        _download(host, judged, reporter)
    except HostError as error:
        raise PreflightFailed(f"{error.message}; nothing was changed", hint=error.hint) from error
    return judged


def _download(host: Host, judged: Judged, reporter: Reporter) -> None:
    packages = judged.facts.packages
    if packages and packages.lists_read:
        apt.download(host, [package.name for package in packages.brings], reporter.note)


def bring_packages(
    host: Host, plan: Plan, supply: Supply, reporter: Reporter, transaction: Transaction
) -> None:
    """Install the packages of a plan, and start none of their services.

    Raises HostError, also when the proxy is then not the one that the plan counted on.
    """
    if not plan.packages:
        return
    reporter.phase("install packages of the distribution")
    holds = list(hold_services(host))
    for hold in holds:
        transaction.make(hold)
    names = [change.path for change in plan.packages]
    transaction.make_together(plan.packages, lambda: bring(host, names, supply.debs, reporter.note))
    for hold in reversed(holds):
        transaction.take_back(hold)
    found = probe_proxy_binary(host)
    if supply.proxy and _outline(found) != _outline(supply.proxy):
        raise HostError(
            f"cannot use the packages: expected {_outline(supply.proxy)}, found {_outline(found)}",
            hint="install nginx with ngx_lua and lua-cjson yourself, then run this again",
        )


def _outline(proxy: object) -> tuple[object, ...]:
    """What a rendered configuration holds of the proxy's program."""
    if not isinstance(proxy, ProxyBinary):
        return ("no usable nginx",)
    return proxy.path, proxy.modules, proxy.lua_path, proxy.lua_cpath
